"""Messages to people."""

from __future__ import annotations

from stream.cli.readable.values import rows


def of_deliveries(answer: object) -> object:
    """A row each."""
    return [
        {
            "message": sent.get("message"),
            "channel": sent.get("channel"),
            "outcome": sent.get("outcome"),
            "attempts": sent.get("attempts"),
            "last": sent.get("lastAt") or "none yet",
            "what": sent.get("title"),
            "reason": sent.get("reason"),
        }
        for sent in rows(answer)
    ] or "no such messages"
