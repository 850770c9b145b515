"""Barriers of runs: kept until a later run of the org is through, so that state does not grow with every run."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from stream.engine.turn import Turn


class Barrier(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Markers of one run. `since`: (epoch, offset) of the first of them. `decided`: all had come, and were acted on."""

    since: tuple[int, int]
    decided: bool = False


AnyBarrier = TypeVar("AnyBarrier", bound=Barrier)


def forget_older(turn: Turn, prefix: bytes, kind: type[AnyBarrier], since: tuple[int, int]) -> None:
    """Delete the org's barriers that were begun before `since`.

    Runs of an org follow each other, so an older one has ended; a younger one may have begun, when this one
    was given up and is through all the same. A late marker of a deleted one opens it again and never
    completes it, since each marker is taken once.
    """
    older = [key for key, barrier in turn.state.scan(prefix, kind) if barrier.since < since]
    for key in older:
        turn.state.delete(key)
