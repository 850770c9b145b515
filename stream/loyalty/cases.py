"""The life of a case: opened after N discrepancies in a row, worsened, resolved; one open per customer."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from stream.contracts.alerts import AlertKind
from stream.contracts.cases import Case, CaseState, CaseStep
from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account, Review, Version
from stream.loyalty.reconcile import Judgement, compare
from stream.loyalty.rules import Rules

LONGEST_HISTORY = 50
"""Steps that a case remembers: the opening and the newest."""

_NOTHING_TO_COMPARE = frozenset({Verdict.NOT_ENROLLED, Verdict.AMBIGUOUS})


class Conclusion(msgspec.Struct, frozen=True):
    """What a judgement did. `case`: the case to publish when it changed; `alert`: what to tell people."""

    account: Account
    case: Case | None = None
    alert: AlertKind | None = None


def conclude(
    account: Account,
    judgement: Judgement,
    rules: Rules,
    *,
    run: str,
    case_prefix: str,
    at: int,
    version: Version,
) -> Conclusion:
    """Verdict and case after a run. Judging again in the same run changes nothing.

    `case_prefix`: `org:customer`; a case's id is that and its number. `at`: UTC ms of the judgement, from the event;
    `version`: (epoch, offset) of it.

    `discrepancy` opens a case after `opens_after` in a row, and speaks again when it worsens. `matched` at or below
    the closing limit resolves. `not_enrolled` and `ambiguous` resolve too, with that as the reason: there is no
    balance left that could be wrong; so does a customer that holds no identity any more (erased, or changed at the
    point of sale). `unknown`, `timing` and `missing_internal` leave an open case as it is.
    """
    before = account.review or Review()
    if before.run == run:
        return Conclusion(account)
    streak = _streak(before.streak, judgement.verdict)
    nobody = judgement.verdict is Verdict.UNKNOWN and not account.links
    over = judgement.verdict in _NOTHING_TO_COMPARE or nobody
    case, alert = _next_case(before, judgement, streak, over, rules, case_prefix, run, at)
    changed = case if case is not before.case else None
    if changed is not None:
        changed = replace(changed, epoch=version[0], version=version[1])
    held = changed or case
    review = Review(
        judgement.verdict,
        judgement.ours,
        judgement.provider,
        judgement.difference,
        streak,
        held if held is not None and held.state is not CaseState.RESOLVED else None,
        max(before.cases, held.number if held is not None else 0),
        run,
    )
    return Conclusion(replace(account, review=review), changed, alert)


def acknowledge(account: Account, case: str, by: str, at: int, version: Version, note: str | None = None) -> Conclusion:
    """A person has seen the open case. Nothing changes when `case` is not the open one, or was acknowledged."""
    review = account.review
    if review is None or review.case is None or review.case.id != case or review.case.state is not CaseState.OPEN:
        return Conclusion(account)
    seen = _stepped(review.case, CaseStep("acknowledged", at, by, note=note))
    seen = replace(seen, state=CaseState.ACKNOWLEDGED, epoch=version[0], version=version[1])
    return Conclusion(replace(account, review=replace(review, case=seen)), seen)


def _next_case(
    before: Review, judgement: Judgement, streak: int, over: bool, rules: Rules, prefix: str, run: str, at: int
) -> tuple[Case | None, AlertKind | None]:
    """The case after this judgement (the same object when nothing happened to it), and the alert. `over`: there is
    nothing left to compare."""
    case, verdict = before.case, judgement.verdict
    if case is None:
        if verdict is Verdict.DISCREPANCY and streak >= rules.cases.opens_after:
            return _opened(before.cases + 1, judgement, prefix, run, at), AlertKind.DISCREPANCY_OPENED
        return None, None
    if verdict is Verdict.DISCREPANCY:
        return _continued(case, judgement, rules, run, at)
    if over or (verdict is Verdict.MATCHED and _close(judgement, rules)):
        return _resolved(case, judgement, run, at), AlertKind.DISCREPANCY_RESOLVED
    return case, None


def _streak(streak: int, verdict: Verdict) -> int:
    """No answer is no observation; anything that isn't a discrepancy ends the row."""
    if verdict is Verdict.UNKNOWN:
        return streak
    return streak + 1 if verdict is Verdict.DISCREPANCY else 0


def _opened(number: int, judgement: Judgement, prefix: str, run: str, at: int) -> Case:
    ours, provider, apart = _sides(judgement)
    return Case(
        id=f"{prefix}:{number}",
        number=number,
        state=CaseState.OPEN,
        opened_at=at,
        ours=ours,
        provider=provider,
        difference=apart,
        alerted_points=apart,
        tier_differs=judgement.tier_ours != judgement.tier_provider,
        history=(CaseStep("opened", at, run, ours, provider),),
    )


def _continued(case: Case, judgement: Judgement, rules: Rules, run: str, at: int) -> tuple[Case, AlertKind | None]:
    """Still apart: the figures follow, and people hear of it when it got materially worse since they last did."""
    ours, provider, apart = _sides(judgement)
    if (ours, provider) == (case.ours, case.provider):
        return case, None
    now = replace(
        case,
        ours=ours,
        provider=provider,
        difference=apart,
        tier_differs=judgement.tier_ours != judgement.tier_provider,
    )
    if not _worse(abs(apart), abs(case.alerted_points), rules):
        return _stepped(now, CaseStep("changed", at, run, ours, provider)), None
    worse = _stepped(replace(now, alerted_points=apart), CaseStep("worsened", at, run, ours, provider))
    return worse, AlertKind.DISCREPANCY_WORSENED


def _worse(apart: int, alerted: int, rules: Rules) -> bool:
    grown = apart - alerted
    return grown > 0 and grown >= rules.cases.worsens_points and grown * 100 >= rules.worsens * alerted


def _close(judgement: Judgement, rules: Rules) -> bool:
    """Near enough to close, which may be nearer than to open (hysteresis), so that a case does not flap."""
    return judgement.provider is not None and compare(judgement.ours, judgement.provider, rules.closing).within


def _resolved(case: Case, judgement: Judgement, run: str, at: int) -> Case:
    agreed = judgement.verdict is Verdict.MATCHED
    step = CaseStep("resolved", at, run, judgement.ours, judgement.provider, None if agreed else judgement.verdict)
    ended = replace(_stepped(case, step), state=CaseState.RESOLVED, resolved_at=at)
    if judgement.provider is None or judgement.difference is None:
        return ended
    return replace(
        ended,
        ours=judgement.ours,
        provider=judgement.provider,
        difference=judgement.difference,
        tier_differs=judgement.tier_ours != judgement.tier_provider,
    )


def _stepped(case: Case, step: CaseStep) -> Case:
    history = (*case.history, step)
    if len(history) > LONGEST_HISTORY:
        history = (history[0], *history[-(LONGEST_HISTORY - 1) :])
    return replace(case, history=history)


def _sides(judgement: Judgement) -> tuple[int, int, int]:
    """Ours, provider's and the difference of a discrepancy, which has all three."""
    assert judgement.provider is not None
    assert judgement.difference is not None
    return judgement.ours, judgement.provider, judgement.difference
