"""What people do to a case: acknowledge, accept its difference, silence, note, assign, resolve.

Nothing that a person asks for vanishes. What is aimed at a case that is resolved, or at another than the customer's
newest, changes nothing and is written into the newest case's history as `declined`. A customer that never had a case
has none to write it into: that is a `BadRecord`. The same command published twice counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from stream.contracts.cases import AcceptedDifference, Case, CaseState, CaseStep, Resolution, Step
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.errors import BadRecord
from stream.loyalty.account import Account, Version
from stream.loyalty.cases import Conclusion, Outcome, ended, is_open, stepped
from stream.loyalty.reconcile import compare
from stream.loyalty.rules import Rules

CaseCommand = AcknowledgeCase | AcceptDifference | SilenceCase | NoteCase | AssignCase | ResolveCase


def work_on_case(account: Account, command: CaseCommand, rules: Rules, *, at: int, version: Version) -> Conclusion:
    """The account after a person's command; `at`: UTC ms of it, `version`: (epoch, offset) of it.

    Raises `BadRecord` when the customer never had a case.
    """
    review = account.review
    if review is None or review.case is None:
        raise BadRecord(f"{type(command).__name__} of {command.case!r} by {command.by!r}: the customer has no case")
    outcome = _outcome(review.case, command, rules, at)
    if outcome.case is None or outcome.case is review.case:
        return Conclusion(account)
    case = replace(outcome.case, epoch=version[0], version=version[1])
    # Somebody has dealt with it: it takes as many observations as the first time before people hear of it again.
    streak = 0 if is_open(review.case) and not is_open(case) else review.streak
    worked = replace(account, review=replace(review, case=case, streak=streak))
    return Conclusion(worked, case, outcome.alert, outcome.reason)


def _outcome(case: Case, command: CaseCommand, rules: Rules, at: int) -> Outcome:
    step = _step(command, at)
    refused = _why_not(case, command)
    said = step if refused is None else _declined(step, refused)
    if step in case.history or said in case.history:
        return Outcome(case)
    if refused is not None:
        return Outcome(stepped(case, said))
    return _APPLY[type(command)](case, command, step, rules)


def _why_not(case: Case, command: CaseCommand) -> str | None:
    if command.case != case.id:
        return f"for {command.case}, which is not the customer's newest case"
    if not is_open(case) and not isinstance(command, NoteCase | AcceptDifference):
        return "the case is resolved"
    return None


def _declined(step: CaseStep, why: str) -> CaseStep:
    return CaseStep(Step.DECLINED.value, step.at, step.by, note=f"{step.what}: {why}")


def _step(command: CaseCommand, at: int) -> CaseStep:
    by = command.by
    match command:
        case AcknowledgeCase():
            return CaseStep(Step.ACKNOWLEDGED.value, at, by, note=command.note)
        case AcceptDifference():
            return CaseStep(
                Step.ACCEPTED.value, at, by, note=command.reason, points=command.points, until=command.until
            )
        case SilenceCase():
            return CaseStep(Step.SILENCED.value, at, by, note=command.reason, until=command.until)
        case NoteCase():
            return CaseStep(Step.NOTED.value, at, by, note=command.note)
        case AssignCase():
            return CaseStep(Step.ASSIGNED.value, at, by, note=command.reason, to=command.to)
        case ResolveCase():
            return CaseStep(Step.RESOLVED.value, at, by, note=command.reason)


def _acknowledge(case: Case, command: AcknowledgeCase, step: CaseStep, rules: Rules) -> Outcome:
    """Who has said so already says nothing new; somebody else's is kept too."""
    said = {(each.by, each.note) for each in case.history if each.what == Step.ACKNOWLEDGED}
    if case.state is CaseState.ACKNOWLEDGED and (step.by, step.note) in said:
        return Outcome(case)
    return Outcome(replace(stepped(case, step), state=CaseState.ACKNOWLEDGED))


def _accept(case: Case, command: AcceptDifference, step: CaseStep, rules: Rules) -> Outcome:
    """Kept for the runs to come; where it covers the difference as it is known, the case is over at once. An acceptance
    whose time has passed already ends the one before."""
    accepted = AcceptedDifference(command.points, command.by, step.at, command.reason, command.until)
    kept = replace(stepped(case, step), accepted=accepted)
    holds = command.until is None or step.at < command.until
    covers = compare(case.ours, case.provider - command.points, rules.tolerance).within
    if not (is_open(case) and holds and covers):
        return Outcome(kept)
    over = CaseStep(Step.RESOLVED.value, step.at, step.by, case.ours, case.provider, Resolution.ACCEPTED.value)
    return ended(kept, over, Resolution.ACCEPTED)


def _silence(case: Case, command: SilenceCase, step: CaseStep, rules: Rules) -> Outcome:
    return Outcome(replace(stepped(case, step), silenced_until=command.until))


def _note(case: Case, command: NoteCase, step: CaseStep, rules: Rules) -> Outcome:
    return Outcome(stepped(case, step))


def _assign(case: Case, command: AssignCase, step: CaseStep, rules: Rules) -> Outcome:
    return Outcome(replace(stepped(case, step), assigned_to=command.to))


def _resolve(case: Case, command: ResolveCase, step: CaseStep, rules: Rules) -> Outcome:
    return ended(case, step, Resolution.CLOSED)


_APPLY: dict[type, Callable[[Case, Any, CaseStep, Rules], Outcome]] = {
    AcknowledgeCase: _acknowledge,
    AcceptDifference: _accept,
    SilenceCase: _silence,
    NoteCase: _note,
    AssignCase: _assign,
    ResolveCase: _resolve,
}
