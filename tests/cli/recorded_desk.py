"""The part of `tests.cli.recorded` that people's commands ask; see `stream.cli.desk`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from stream.cli.desk import CaseDecision, Letter, Shown
from stream.contracts.alerts import AlertKind
from stream.contracts.cases import CaseState
from stream.contracts.settings import Mode
from stream.settings import Configuration


class RecordedDesk:
    """`answers`: by entry point; one that is absent answers with what `answer` is. A list is what an iterator gives."""

    answer: object
    answers: dict[str, Any]

    def _asked(self, command: str, **options: object) -> None:
        raise NotImplementedError

    def _answer(self, name: str) -> Any:
        return self.answers.get(name, self.answer)

    async def runs(self, configuration: Configuration, *, org: str | None, limit: int) -> Sequence[Shown]:
        self._asked("runs list", org=org, limit=limit)
        return self._answer("runs")

    async def run(self, configuration: Configuration, *, run: str) -> Shown | None:
        self._asked("runs show", run=run)
        return self._answer("run")

    async def watch_run(
        self, configuration: Configuration, *, org: str | None, run: str | None, upcoming: bool
    ) -> AsyncIterator[Shown]:
        self._asked("runs watch", org=org, run=run, upcoming=upcoming)
        for snapshot in self._answer("watch_run"):
            yield snapshot

    async def cases(
        self,
        configuration: Configuration,
        *,
        org: str,
        state: CaseState | None,
        resolved: bool,
        assigned_to: str | None,
        limit: int,
    ) -> Sequence[Shown]:
        self._asked("cases list", org=org, state=state, resolved=resolved, assigned_to=assigned_to, limit=limit)
        return self._answer("cases")

    async def case(self, configuration: Configuration, *, case: str) -> Shown | None:
        self._asked("cases show", case=case)
        return self._answer("case")

    async def decide_case(self, configuration: Configuration, decision: CaseDecision) -> Shown:
        self._asked(type(decision).__name__, **msgspec.structs.asdict(decision))
        return self._answer("decide_case")

    async def erase_customer(
        self, configuration: Configuration, *, org: str, customer: str, by: str, because: str
    ) -> Shown:
        self._asked("customer erase", org=org, customer=customer, by=by, because=because)
        return self._answer("erase_customer")

    async def tail_alerts(
        self, configuration: Configuration, *, org: str | None, kinds: Sequence[AlertKind], from_beginning: bool
    ) -> AsyncIterator[Shown]:
        self._asked("alerts tail", org=org, kinds=list(kinds), from_beginning=from_beginning)
        for event in self._answer("tail_alerts"):
            yield event

    async def alerts_since(
        self, configuration: Configuration, *, since: int, org: str | None, customer: str | None
    ) -> Mapping[str, int]:
        self._asked("alerts since", since=since, org=org, customer=customer)
        return self._answer("alerts_since")

    async def replay_alerts(
        self, configuration: Configuration, *, since: int, org: str | None, customer: str | None
    ) -> int:
        self._asked("alerts replay", since=since, org=org, customer=customer)
        return self._answer("replay_alerts")

    async def orgs(self, configuration: Configuration) -> Sequence[Shown]:
        self._asked("org list")
        return self._answer("orgs")

    async def mode_change(self, configuration: Configuration, *, org: str, mode: Mode) -> Shown:
        self._asked("mode change", org=org, mode=mode)
        return self._answer("mode_change")

    async def change_mode(
        self, configuration: Configuration, *, org: str, mode: Mode, expected: int, by: str, reason: str
    ) -> Shown:
        self._asked("change mode", org=org, mode=mode, expected=expected, by=by, reason=reason)
        return self._answer("change_mode")

    async def settings_in_force(self, configuration: Configuration, *, org: str) -> Shown | None:
        self._asked("settings show", org=org)
        return self._answer("settings_in_force")

    async def settings_difference(self, configuration: Configuration, *, org: str) -> Shown:
        self._asked("settings diff", org=org)
        return self._answer("settings_difference")

    async def apply_settings(
        self, configuration: Configuration, *, org: str, expected: int, by: str, reason: str
    ) -> Shown:
        self._asked("settings apply", org=org, expected=expected, by=by, reason=reason)
        return self._answer("apply_settings")

    async def dead_letter_reasons(self, configuration: Configuration, *, org: str | None) -> Sequence[Shown]:
        self._asked("dead-letters reasons", org=org)
        return self._answer("dead_letter_reasons")

    async def letters_to_decide(
        self, configuration: Configuration, *, org: str | None, places: Sequence[str], reason: str | None
    ) -> Sequence[Shown]:
        self._asked("dead-letters chosen", org=org, places=list(places), reason=reason)
        return self._answer("letters_to_decide")

    async def retry_letters(
        self, configuration: Configuration, *, letters: Sequence[Letter], by: str, because: str | None
    ) -> Sequence[Shown]:
        self._asked("dead-letters retry", letters=list(letters), by=by, because=because)
        return self._answer("retry_letters")

    async def discard_letters(
        self, configuration: Configuration, *, letters: Sequence[Letter], by: str, because: str
    ) -> Sequence[Shown]:
        self._asked("dead-letters discard", letters=list(letters), by=by, because=because)
        return self._answer("discard_letters")

    async def agent_tool(self, configuration: Configuration) -> None:
        self._asked("mcp")

    async def agent_tool_http(self, configuration: Configuration, *, host: str, port: int) -> None:
        self._asked("mcp --http", host=host, port=port)
