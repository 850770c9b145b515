"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes word of a phase: how much is done, and of how much, where that is known."""

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """`phase` reads on a terminal, such as `orders`; the same phase again replaces what was shown of it."""


def silent(phase: str, done: int = 0, total: int | None = None) -> None:
    """Tells nobody."""
