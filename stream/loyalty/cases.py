"""The life of a case at a run's barrier: opened after N discrepancies in a row, told again when it got worse or still
stands, resolved; one open per customer. What people do to a case is in `stream.loyalty.casework`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from stream.contracts.alerts import AlertKind
from stream.contracts.cases import Case, CaseState, CaseStep, Cause, Resolution, Step
from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account, Review, Version
from stream.loyalty.reconcile import Judgement, compare
from stream.loyalty.rules import Rules

LONGEST_HISTORY = 50
"""Steps that a case remembers: the opening and the newest."""
HOUR_MS = 3_600_000
MOST_GRACE_MS = HOUR_MS
"""A reminder may come this much early (at most a 24th of its time): the nights' runs do not end on the minute, and one
that is due every 24 hours must not wait for every second night."""

_NOTHING_TO_COMPARE = frozenset({Verdict.NOT_ENROLLED, Verdict.AMBIGUOUS})
_ENDED = "the acceptance has ended"
_MOVED_AWAY = "the difference is no longer the accepted one"
_GONE = "the sides agree without the accepted difference"


class Conclusion(msgspec.Struct, frozen=True):
    """What a judgement or a person did. `case`: the case to publish when it changed; `alert`: what to tell people, with
    the `reason` where there is one."""

    account: Account
    case: Case | None = None
    alert: AlertKind | None = None
    reason: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A case after something happened to it (the same object when nothing did), and what to tell people."""

    case: Case | None
    alert: AlertKind | None = None
    reason: str | None = None


class _Barrier(msgspec.Struct, frozen=True):
    """A judgement in its run. `at`: UTC ms, from the event."""

    judgement: Judgement
    rules: Rules
    run: str
    at: int
    causes: Callable[[], tuple[Cause, ...]]


def not_explained() -> tuple[Cause, ...]:
    """No causes: for who does not ask for any."""
    return ()


def conclude(
    account: Account,
    judgement: Judgement,
    rules: Rules,
    *,
    run: str,
    case_prefix: str,
    at: int,
    version: Version,
    causes: Callable[[], tuple[Cause, ...]] = not_explained,
) -> Conclusion:
    """Verdict and case after a run. Judging again in the same run changes nothing.

    `case_prefix`: `org:customer`; a case's id is that and its number. `at`: UTC ms of the judgement, from the event;
    `version`: (epoch, offset) of it. `causes`: asked only while a case is open.

    `discrepancy` opens a case after `opens_after` in a row (the same one again, where it was resolved as accepted), and
    speaks again when it worsens or still stands after `reminds_after_hours`, unless the case is silenced. `matched` at
    or below the closing limit resolves, as accepted where an accepted difference makes the match; above it only the
    figures follow. `not_enrolled` and `ambiguous` resolve too, with that as the reason: there is no balance left that
    could be wrong; so does a customer that holds no identity any more (erased, or changed at the point of sale).
    `unknown`, `timing` and `missing_internal` leave an open case as it is.
    """
    before = account.review or Review()
    if before.run == run:
        return Conclusion(account)
    streak = _streak(before.streak, judgement.verdict)
    barrier = _Barrier(judgement, rules, run, at, causes)
    outcome = _next_case(before, barrier, streak, case_prefix, holds_identities=bool(account.links))
    case = outcome.case
    changed = case is not None and case is not before.case
    if case is not None and changed:
        case = replace(case, epoch=version[0], version=version[1])
    review = Review(
        judgement.verdict,
        judgement.ours,
        judgement.provider,
        judgement.difference,
        streak,
        case,
        max(before.cases, case.number if case is not None else 0),
        run,
    )
    concluded = replace(account, review=review)
    return Conclusion(concluded, case if changed else None, outcome.alert, outcome.reason)


def stepped(case: Case, step: CaseStep) -> Case:
    """The case with one more step; the history keeps the opening and the newest ones."""
    history = (*case.history, step)
    if len(history) > LONGEST_HISTORY:
        history = (history[0], *history[-(LONGEST_HISTORY - 1) :])
    return replace(case, history=history, steps=max(case.steps, len(case.history)) + 1)


def ended(case: Case, step: CaseStep, resolution: Resolution) -> Outcome:
    """The case resolved by `step`, and the alert unless it is silenced then."""
    done = replace(stepped(case, step), state=CaseState.RESOLVED, resolved_at=step.at, resolved_as=resolution)
    if silenced(case, step.at):
        return Outcome(done)
    return Outcome(done, AlertKind.DISCREPANCY_RESOLVED, resolution.value)


def silenced(case: Case, at: int) -> bool:
    """No alerts about the case at that time (UTC ms)."""
    return case.silenced_until is not None and at < case.silenced_until


def is_open(case: Case | None) -> bool:
    """There is a case and it is not resolved."""
    return case is not None and case.state is not CaseState.RESOLVED


def _next_case(before: Review, barrier: _Barrier, streak: int, prefix: str, *, holds_identities: bool) -> Outcome:
    case, verdict = before.case, barrier.judgement.verdict
    if case is None or case.state is CaseState.RESOLVED:
        if verdict is Verdict.DISCREPANCY and streak >= barrier.rules.cases.opens_after:
            return _opened(case, before.cases + 1, barrier, prefix)
        return Outcome(case) if case is None else _still_accepted(case, barrier)
    if verdict is Verdict.DISCREPANCY:
        return _continued(case, barrier)
    if verdict in _NOTHING_TO_COMPARE or (verdict is Verdict.UNKNOWN and not holds_identities):
        return _resolved(case, barrier, Resolution.NOT_COMPARABLE)
    if verdict is not Verdict.MATCHED:
        return Outcome(case)
    if not _close(barrier):
        return _followed(case, _figures(case, barrier), barrier)
    accepted = barrier.judgement.accepted is not None
    return _resolved(case, barrier, Resolution.ACCEPTED if accepted else Resolution.AGREED)


def _streak(streak: int, verdict: Verdict) -> int:
    """No answer is no observation; anything that isn't a discrepancy ends the row."""
    if verdict is Verdict.UNKNOWN:
        return streak
    return streak + 1 if verdict is Verdict.DISCREPANCY else 0


def _opened(last: Case | None, number: int, barrier: _Barrier, prefix: str) -> Outcome:
    """A new case; the last one again where it was resolved as accepted. An acceptance in force is taken along."""
    if last is not None and last.resolved_as is Resolution.ACCEPTED:
        return _reopened(last, barrier)
    ours, provider, apart = _sides(barrier.judgement)
    case = Case(
        id=f"{prefix}:{number}",
        number=number,
        state=CaseState.OPEN,
        opened_at=barrier.at,
        ours=ours,
        provider=provider,
        difference=apart,
        alerted_points=apart,
        accepted=last.accepted if last is not None else None,
    )
    return _told(_figures(case, barrier), barrier, Step.OPENED, AlertKind.DISCREPANCY_OPENED)


def _reopened(last: Case, barrier: _Barrier) -> Outcome:
    until = last.accepted.until if last.accepted is not None else None
    reason = _ENDED if until is not None and barrier.at >= until else _MOVED_AWAY
    again = replace(_figures(last, barrier), state=CaseState.OPEN, resolved_at=None, resolved_as=None)
    if silenced(last, barrier.at):
        return Outcome(stepped(again, _step(barrier, Step.REOPENED, reason)))
    return _told(again, barrier, Step.REOPENED, AlertKind.DISCREPANCY_OPENED, reason)


def _still_accepted(case: Case, barrier: _Barrier) -> Outcome:
    """A resolved case stays as it is, but for one resolved as accepted when the sides come to agree by themselves."""
    judgement = barrier.judgement
    by_itself = judgement.verdict is Verdict.MATCHED and judgement.accepted is None and _close(barrier)
    if case.resolved_as is not Resolution.ACCEPTED or not by_itself:
        return Outcome(case)
    agreed = replace(_figures(case, barrier), resolved_as=Resolution.AGREED)
    return Outcome(stepped(agreed, _step(barrier, Step.RESOLVED, _GONE)))


def _continued(case: Case, barrier: _Barrier) -> Outcome:
    """Still apart: the figures follow, and people hear of it when it got materially worse since they last did, or when
    they were told long enough ago."""
    now = _figures(case, barrier)
    if not silenced(case, barrier.at):
        if _worse(abs(now.difference), abs(case.alerted_points), barrier.rules):
            return _told(now, barrier, Step.WORSENED, AlertKind.DISCREPANCY_WORSENED)
        if _due(case, barrier):
            return _told(now, barrier, Step.REMINDED, AlertKind.DISCREPANCY_STANDING)
    return _followed(case, now, barrier)


def _followed(case: Case, now: Case, barrier: _Barrier) -> Outcome:
    """Nothing to tell: the case has the figures of now."""
    if (now.ours, now.provider) != (case.ours, case.provider):
        return Outcome(stepped(now, _step(barrier, Step.CHANGED)))
    return Outcome(now if now != case else case)


def _told(case: Case, barrier: _Barrier, what: Step, alert: AlertKind, reason: str | None = None) -> Outcome:
    """The case with that step, of which people hear now."""
    told = replace(case, alerted_points=case.difference, alerted_at=barrier.at)
    return Outcome(stepped(told, _step(barrier, what, reason)), alert, reason)


def _worse(apart: int, alerted: int, rules: Rules) -> bool:
    grown = apart - alerted
    return grown > 0 and grown >= rules.cases.worsens_points and grown * 100 >= rules.worsens * alerted


def _due(case: Case, barrier: _Barrier) -> bool:
    """The reminder is on, and the last word is long enough ago."""
    after = barrier.rules.cases.reminds_after_hours * HOUR_MS
    grace = min(after // 24, MOST_GRACE_MS)
    return after > 0 and barrier.at - (case.alerted_at or case.opened_at) >= after - grace


def _close(barrier: _Barrier) -> bool:
    """Near enough to close, which may be nearer than to open (hysteresis), so that a case does not flap."""
    judgement = barrier.judgement
    if judgement.provider is None:
        return False
    return compare(judgement.ours, judgement.provider - (judgement.accepted or 0), barrier.rules.closing).within


def _resolved(case: Case, barrier: _Barrier, resolution: Resolution) -> Outcome:
    note = {
        Resolution.NOT_COMPARABLE: barrier.judgement.verdict.value,
        Resolution.ACCEPTED: Resolution.ACCEPTED.value,
    }.get(resolution)
    figures = case if resolution is Resolution.NOT_COMPARABLE else _figures(case, barrier)
    return ended(figures, _step(barrier, Step.RESOLVED, note), resolution)


def _figures(case: Case, barrier: _Barrier) -> Case:
    """The case with the figures of the judgement and what explains them. Where the sides agree, nothing needs to be."""
    judgement = barrier.judgement
    ours, provider, apart = _sides(judgement)
    agree = judgement.verdict is Verdict.MATCHED and judgement.accepted is None and _close(barrier)
    return replace(
        case,
        ours=ours,
        provider=provider,
        difference=apart,
        tier_differs=judgement.tier_differs,
        causes=() if agree else barrier.causes(),
    )


def _step(barrier: _Barrier, what: Step, note: str | None = None) -> CaseStep:
    return CaseStep(what.value, barrier.at, barrier.run, barrier.judgement.ours, barrier.judgement.provider, note)


def _sides(judgement: Judgement) -> tuple[int, int, int]:
    """Ours, provider's and the difference of a comparison that was made."""
    assert judgement.provider is not None
    assert judgement.difference is not None
    return judgement.ours, judgement.provider, judgement.difference
