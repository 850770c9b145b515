"""What contacts answer about an identity: pure, from its state to facts for accounts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.agents.contacts.state import Answer, IdentityState, Linked, Row, Told
from stream.contracts.facts import BalanceAbsent, BalanceAmbiguous, BalanceMatched, BalanceMissed

ABSENT_AFTER = 2
"""Sweeps in a row that must lack an identity: rows shift between pages, so one proves nothing. Nor does one sweep that
sees a single contact of several: see `Row.several`."""

Version = tuple[int, int]
BalanceFact = BalanceMatched | BalanceMissed | BalanceAbsent | BalanceAmbiguous


def after_sweep(
    state: IdentityState, run: str, attempt: int, began: Version, *, again: bool = False
) -> tuple[IdentityState, Answer | None]:
    """The identity's state after a complete sweep, and the answer if there is something new to say, or to say `again`.

    `began`: (epoch, offset) of SweepStarted; only a link that was there before it can be missed.
    """
    held = {c: link for c, link in state.links.items() if link.arrived < began}
    if state.row is not None and seen(state, run, attempt):
        answer = _seen(state.links, state.row)
        state = msgspec.structs.replace(state, missed=0)
    elif held:
        missed = state.missed + 1
        answer = Answer(Told.ABSENT if missed >= ABSENT_AFTER else Told.MISSED, _holders(held))
        state = msgspec.structs.replace(state, missed=min(missed, ABSENT_AFTER))
    else:
        return state, None
    if not state.links or (answer == state.told and not again):
        return state, None
    return msgspec.structs.replace(state, told=answer), answer


def seen(state: IdentityState, run: str, attempt: int) -> bool:
    """Whether that sweep saw the identity."""
    return state.row is not None and (state.row.run, state.row.attempt) == (run, attempt)


def now(state: IdentityState) -> Answer | None:
    """The answer for a look-up: what the provider's row says, at once."""
    return None if state.row is None or not state.links else _seen(state.links, state.row)


def facts(
    identity: str, answer: Answer, version: Version, *, observed_at: int, sweep_started_at: int, run: str | None = None
) -> Iterator[tuple[str, BalanceFact]]:
    """The answer as facts, one for each customer it concerns."""
    for customer, link in answer.holders:
        if answer.kind is Told.MATCHED:
            yield (
                customer,
                BalanceMatched(identity, link, version, answer.contact, answer.points, observed_at, answer.tier, run),
            )
        elif answer.kind is Told.AMBIGUOUS:
            yield customer, BalanceAmbiguous(identity, link, version, answer.shared_by, run)
        elif answer.kind is Told.MISSED:
            yield customer, BalanceMissed(identity, link, version, sweep_started_at)
        else:
            yield customer, BalanceAbsent(identity, link, version, sweep_started_at)


def _seen(links: dict[str, Linked], row: Row) -> Answer:
    shared_by = max(len(links), len(row.contacts), 2 if row.several else 1)
    if shared_by > 1:
        return Answer(Told.AMBIGUOUS, _holders(links), shared_by=shared_by)
    return Answer(Told.MATCHED, _holders(links), row.contacts[0], row.points, row.tier)


def _holders(links: dict[str, Linked]) -> tuple[tuple[str, Version], ...]:
    return tuple(sorted((customer, link.version) for customer, link in links.items()))
