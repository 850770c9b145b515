"""What a server wrote about its own failure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LINES = 25
BYTES = 64 * 1024


class LogTail:
    """The lines that were added to `log` since this object was made, and what was printed to `output`."""

    def __init__(self, log: Path, output: Path) -> None:
        self.log = log
        self.output = output
        self._start = log.stat().st_size if log.exists() else 0

    def text(self) -> str:
        """The last lines, indented, without the inner lines of stack traces."""
        lines = [*_meaningful(self._logged()), *_meaningful(_read(self.output, 0))][-LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"

    def mentions(self, phrases: Iterable[str]) -> bool:
        """Whether any of `phrases` was written."""
        written = self._logged() + _read(self.output, 0)
        return any(phrase in written for phrase in phrases)

    def _logged(self) -> str:
        rolled_over = self.log.exists() and self.log.stat().st_size < self._start
        return _read(self.log, 0 if rolled_over else self._start)


def _read(path: Path, start: int) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - BYTES))
        return file.read().decode(errors="replace")


def _meaningful(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "... "))]
