"""What a role said before it ended, out of its log."""

from __future__ import annotations

import json
from pathlib import Path

READ_BYTES = 64 << 10
LINES_AT_MOST = 12
NOTHING = "it said nothing"


class LastWords:
    """Of whatever is written to `log` from now on. None: the log goes to our own stderr."""

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._from = log.stat().st_size if log is not None and log.exists() else 0

    def text(self) -> str:
        """The message that the command line ends with, else the last line of the log that says what went wrong."""
        if self._log is None or not self._log.exists():
            return NOTHING
        with self._log.open("rb") as log:
            log.seek(max(self._from, self._log.stat().st_size - READ_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        message = _message(lines)
        return message or next((_readable(line) for line in reversed(lines) if _is_bad(line)), NOTHING)


def _message(lines: list[str]) -> str | None:
    """From the last `loyalty COMMAND: …` on: a message may have several lines."""
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith("loyalty "):
            return "\n".join(lines[number : number + LINES_AT_MOST])
    return None


def _is_bad(line: str) -> bool:
    entry = _entry(line)
    return bool(line.strip()) if entry is None else entry.get("level") in ("warning", "error", "critical")


def _readable(line: str) -> str:
    entry = _entry(line)
    if entry is None:
        return line.strip()
    told = [str(entry[key]) for key in ("event", "reason", "error") if entry.get(key)]
    trace = str(entry.get("exception") or "").strip().splitlines()
    return ": ".join([*told, *trace[-1:]])


def _entry(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
