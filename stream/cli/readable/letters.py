"""Dead letters."""

from __future__ import annotations

from stream.cli.readable.values import rows


def of_dead_letters(answer: object) -> object:
    """A row each."""
    shown = ("place", "at", "times", "org", "stage", "reason")
    return [{name: letter.get(name) for name in shown} for letter in rows(answer)] or "no dead letters"


def of_letter_reasons(answer: object) -> object:
    """A row each."""
    return rows(answer) or "no dead letters that nobody has decided on"


def of_letters_decided(answer: object) -> object:
    """A row each."""
    return [
        {
            "place": letter.get("place"),
            "reason": letter.get("reason"),
            "now": letter.get("error") or letter.get("status"),
        }
        for letter in rows(answer)
    ] or "no such dead letters"
