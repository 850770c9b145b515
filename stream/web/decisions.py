"""What people decide, published as facts and commands: on cases, settings and dead letters, each with its audit entry.

The entry is published before the decision, so that nothing happens that nobody is named for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

import msgspec

from stream.contracts import topics
from stream.contracts.audit import Action
from stream.contracts.cases import CaseState
from stream.contracts.dead_letters import Remedy
from stream.contracts.facts import (
    FACTS,
    AcceptDifference,
    AcknowledgeCase,
    AssignCase,
    NoteCase,
    ResolveCase,
    SilenceCase,
)
from stream.contracts.names import account_key
from stream.contracts.runs import RUNS, ChangeSettings, RunKind
from stream.contracts.settings import OrgSettings, SettingsInForce
from stream.engine.ports import Input, Output, Publisher
from stream.errors import BadRecord
from stream.loyalty.acceptance import check_settings
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerCase, DeadLetter
from stream.web.asking import request_run, run_id
from stream.web.auditing import audit_output
from stream.web.problems import Problem, not_found

CaseDecision = AcknowledgeCase | AcceptDifference | SilenceCase | NoteCase | AssignCase | ResolveCase
SETTLE_SECONDS = 5.0
"""How long an answer waits for a decision to take effect; it takes effect later too."""
RETRY_SLOT_MS = 60_000
"""Retries of vendors' records within so long are one run: it reads everything anyway."""

_ACTIONS: dict[type, Action] = {
    AcknowledgeCase: Action.CASE_ACKNOWLEDGED,
    AcceptDifference: Action.CASE_ACCEPTED,
    SilenceCase: Action.CASE_SILENCED,
    NoteCase: Action.CASE_NOTED,
    AssignCase: Action.CASE_ASSIGNED,
    ResolveCase: Action.CASE_RESOLVED,
}


class Originals(Protocol):
    """Where the original bytes of dead letters are; `stream.web.originals.KafkaOriginals` is one."""

    async def read(self, partition: int, offset: int) -> Input | None:
        """The record at this place of the dead letters; None when it is not kept any more."""


class Decisions:
    """`clock`: UTC ms. `by` everywhere: the actor that the audit names."""

    def __init__(
        self,
        views: Views,
        publisher: Publisher,
        originals: Originals | None = None,
        *,
        clock: Callable[[], int],
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._views = views
        self._publisher = publisher
        self._originals = originals
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._changing: dict[str, asyncio.Lock] = {}

    # ── cases ────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self, org: str, case_id: str) -> CustomerCase:
        """The case with this id (`org:customer:number`). Raises Problem 404."""
        owner, _, rest = case_id.partition(":")
        customer, _, number = rest.rpartition(":")
        found = None
        if owner == org and number.isascii() and number.isdigit() and len(number) < 10:
            found = self._views.case(org, customer, int(number))
        if found is None:
            raise not_found(f"case {case_id!r}")
        return found

    async def decide_cases(self, org: str, decisions: Sequence[CaseDecision]) -> list[CustomerCase]:
        """Publish decisions on cases; answers with the cases, as they then are where that comes soon.

        Raises Problem 404 for a case that is not known, 409 for one that is resolved already, before anything is
        published. A decision that the rules refuse shows in the case's history as `declined`.
        """
        cases = await asyncio.to_thread(lambda: [self.case(org, decision.case) for decision in decisions])
        for case, decision in zip(cases, decisions, strict=True):
            late = case.case.state is CaseState.RESOLVED
            if late and not isinstance(decision, NoteCase | AcceptDifference):
                raise Problem(409, f"case {case.case.id} is resolved already")
        now = self._clock()
        await self._publisher.publish([self._case_entry(org, decision, now) for decision in decisions])
        await self._publisher.publish(
            [_fact(org, case.customer, decision, now) for case, decision in zip(cases, decisions, strict=True)]
        )
        before = {case.case.id: (case.case.epoch, case.case.version) for case in cases}

        def decided(_: Views) -> bool:
            now_known = [self.case(org, case_id) for case_id in before]
            return all((each.case.epoch, each.case.version) > before[each.case.id] for each in now_known)

        with contextlib.suppress(TimeoutError):
            await self._views.wait_for(decided, timeout=self._settle_seconds)
        return await asyncio.to_thread(lambda: [self.case(org, decision.case) for decision in decisions])

    def _case_entry(self, org: str, decision: CaseDecision, now: int) -> Output:
        fields: dict[str, object] = msgspec.structs.asdict(decision)
        reason = fields.get("reason") or fields.get("note")
        detail = {
            name: str(value)
            for name, value in fields.items()
            if name not in ("case", "by", "reason", "note") and value is not None
        }
        said = str(reason) if reason else None
        return audit_output(
            org, _ACTIONS[type(decision)], decision.by, at=now, target=decision.case, reason=said, detail=detail
        )

    # ── settings ─────────────────────────────────────────────────────────────────────────────────────────────

    async def change_settings(
        self, org: str, settings: OrgSettings, *, expected: int, by: str, reason: str
    ) -> SettingsInForce:
        """Put settings in force; answers with those that then are in force.

        Raises Problem 412 when version `expected` is not (any more) in force, 422 for settings that cannot be, and 503
        when nobody has taken them up in time: they may still come into force.
        """
        try:
            check_settings(settings)
        except BadRecord as error:
            raise Problem(422, str(error)) from error
        async with self._changing.setdefault(org, asyncio.Lock()):
            now_in_force = await asyncio.to_thread(self._in_force, org)
            if now_in_force.version != expected:
                raise Problem(412, f"version {now_in_force.version} of the settings is in force, not {expected}")
            if now_in_force.settings == settings:
                return now_in_force
            await self._publish_settings(org, settings, expected, by, reason)
            return await self._taken_up(org, settings, expected)

    async def _publish_settings(self, org: str, settings: OrgSettings, expected: int, by: str, reason: str) -> None:
        now = self._clock()
        text = msgspec.json.Encoder(decimal_format="string").encode(settings).decode()
        detail = {"version": str(expected + 1), "settings": text}
        entry = audit_output(
            org, Action.SETTINGS_CHANGED, by, at=now, target=str(expected + 1), reason=reason, detail=detail
        )
        value = RUNS.encode(ChangeSettings(settings, by, expected), org=org, at=now, source="web")
        await self._publisher.publish([entry])
        await self._publisher.publish([Output(topics.RUNS.name, org.encode(), value)])

    async def _taken_up(self, org: str, settings: OrgSettings, expected: int) -> SettingsInForce:
        try:
            await self._views.wait_for(
                lambda views: self._in_force(org).version > expected, timeout=self._settle_seconds
            )
        except TimeoutError:
            raise Problem(
                503,
                "the settings were asked for but are not in force yet: look again in a moment; is a worker running?",
            ) from None
        found = await asyncio.to_thread(self._in_force, org)
        if found.settings != settings:
            raise Problem(412, f"somebody else's settings came first: version {found.version} is in force")
        return found

    def _in_force(self, org: str) -> SettingsInForce:
        found = self._views.settings(org)
        if found is None:
            raise not_found(f"settings of org {org!r}")
        return found

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────

    def letter(self, org: str, place: str) -> DeadLetter:
        """The dead letter at `partition:offset`. Raises Problem 404."""
        partition, _, offset = place.partition(":")
        found = None
        if all(each.isascii() and each.isdigit() and len(each) < 19 for each in (partition, offset)):
            found = self._views.dead_letter(int(partition), int(offset))
        if found is None or found.org != org:
            raise not_found(f"dead letter {place!r}")
        return found

    async def discard_letter(self, org: str, place: str, *, by: str, reason: str) -> DeadLetter:
        """Nothing is to be done about it any more."""
        letter = await asyncio.to_thread(self.letter, org, place)
        return await self._noted(letter, await self._note(letter, Action.LETTER_DISCARDED, by, reason))

    async def retry_letter(self, org: str, place: str, *, by: str, reason: str | None = None) -> DeadLetter:
        """Try again: a record goes into its topic once more, a vendor's is read again by a run.

        Raises Problem 409 for one that cannot be tried again, or whose original is not kept any more.
        """
        letter = await asyncio.to_thread(self.letter, org, place)
        if letter.remedy is None:
            raise Problem(
                409,
                f"dead letter {place} cannot be tried again: {letter.stage} could not write a record that all others "
                f"have. It is written with the next change of the same; discard this one",
            )
        if letter.remedy is Remedy.TAKEN_IN_AGAIN:
            original = await self._originals.read(letter.partition, letter.offset) if self._originals else None
            if original is None or original.key is None:
                raise Problem(409, f"the original of dead letter {place} is not kept any more")
            again = Output(letter.source_topic, original.key, original.value, partition=letter.source_partition)
            now = await self._note(letter, Action.LETTER_RETRIED, by, reason)
            await self._publisher.publish([again])
            return await self._noted(letter, now)
        now = await self._note(letter, Action.LETTER_RETRIED, by, reason)
        run = await asyncio.to_thread(self._run_that_reads_again, org, now)
        why = reason or f"dead letter {place} is tried again"
        await request_run(self._publisher, run, org=org, customer=None, kind=RunKind.DAILY, by=by, now=now, reason=why)
        return await self._noted(letter, now)

    def _run_that_reads_again(self, org: str, now: int) -> str:
        """One run for all that is tried again within a minute, unless it has begun to read: then the next one."""
        for number in count(1):
            run = run_id(org, None, f"retry-{now // RETRY_SLOT_MS}-{number}")
            known = self._views.run(run)
            if known is None or known.started_at is None:
                return run
        raise AssertionError("numbers do not end")

    async def _note(self, letter: DeadLetter, action: Action, by: str, reason: str | None) -> int:
        """Write down what was decided. What follows from it is published at once, before anybody waits for the views:
        from now on they say that it has been done."""
        now, place = self._clock(), f"{letter.partition}:{letter.offset}"
        about = {"content": letter.content, "through": str(letter.last_offset)}
        entry = audit_output(letter.org, action, by, at=now, target=place, reason=reason, detail=about)
        await self._publisher.publish([entry])
        return now

    async def _noted(self, letter: DeadLetter, now: int) -> DeadLetter:
        """The letter with the decision of `now`, where the views have it soon."""

        def noted(views: Views) -> bool:
            found = views.dead_letter(letter.partition, letter.offset)
            return found is None or (found.decided_at or 0) >= now

        with contextlib.suppress(TimeoutError):
            await self._views.wait_for(noted, timeout=self._settle_seconds)
        return await asyncio.to_thread(self.letter, letter.org, f"{letter.partition}:{letter.offset}")


def _fact(org: str, customer: str, decision: CaseDecision, now: int) -> Output:
    value = FACTS.encode(decision, org=org, customer=customer, at=now, source="web")
    return Output(topics.FACTS.name, account_key(org, customer), value)
