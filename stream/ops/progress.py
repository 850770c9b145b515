"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes word of what is going on."""

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """How much of a phase is done, and of how much, where that is known.

        `phase` reads on a terminal, such as `orders`; the same phase again replaces what was shown of it.
        """

    def say(self, line: str) -> None:
        """Something that has happened, as a sentence for people."""


class _Silent:
    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Tells nobody."""

    def say(self, line: str) -> None:
        """Tells nobody."""


silent: Progress = _Silent()
"""Tells nobody."""
