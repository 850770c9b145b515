"""What people look at and decide at the command line: runs, cases, alerts, orgs, settings, dead letters.

`by` everywhere: the actor that the audit names. Answers are plain values, as the API shows the same things.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from stream.contracts.alerts import AlertKind
from stream.contracts.cases import CaseState
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.contracts.settings import Mode
from stream.settings import Configuration

Shown = Mapping[str, object]
CaseDecision = AcknowledgeCase | AcceptDifference | SilenceCase | NoteCase | AssignCase | ResolveCase
Letter = tuple[str, str]
"""The org of a dead letter and its place, `partition:offset`."""


class Desk(Protocol):
    """Part of `stream.cli.entry_points.EntryPoints`. Everything raises LoyaltyError with what to do."""

    async def runs(self, configuration: Configuration, *, org: str | None, limit: int) -> Sequence[Shown]:
        """Runs, newest first."""

    async def run(self, configuration: Configuration, *, run: str) -> Shown | None:
        """One run as far as it got."""

    def watch_run(
        self, configuration: Configuration, *, org: str | None, run: str | None, upcoming: bool
    ) -> AsyncIterator[Shown]:
        """A run whenever something of it has changed, to its end; an org's last one has the org's `stats`.

        Without `run` the one of `org` that is under way, else its last; with `upcoming` the next that begins.
        """

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
        """Cases by unexplained points, most first: of one state, else the live ones (with `resolved` the others)."""

    async def case(self, configuration: Configuration, *, case: str) -> Shown | None:
        """One case with its history; `case`: `org:customer:number`."""

    async def decide_case(self, configuration: Configuration, decision: CaseDecision) -> Shown:
        """Decide on a case; answers `case` as it then is, and `inEffect`: whether the decision is in it already."""

    async def erase_customer(
        self, configuration: Configuration, *, org: str, customer: str, by: str, because: str
    ) -> Shown:
        """Forget a person, for good; answers `customerId`, and `inViews`: whether the views have forgotten already."""

    def tail_alerts(
        self, configuration: Configuration, *, org: str | None, kinds: Sequence[AlertKind], from_beginning: bool
    ) -> AsyncIterator[Shown]:
        """Alerts as CloudEvents, as they come; for ever. `kinds` empty: all."""

    async def alerts_since(
        self, configuration: Configuration, *, since: int, org: str | None, customer: str | None
    ) -> Mapping[str, int]:
        """How many alerts there are since a time (UTC ms), by kind; replays do not count."""

    async def replay_alerts(
        self, configuration: Configuration, *, since: int, org: str | None, customer: str | None
    ) -> int:
        """Publish them once more, marked as replays; answers how many."""

    async def orgs(self, configuration: Configuration) -> Sequence[Shown]:
        """Every org, configured or known, with its mode and figures."""

    async def mode_change(self, configuration: Configuration, *, org: str, mode: Mode) -> Shown:
        """What a change of mode would be: `mode` now, `wanted`, `version`, and whom it concerns."""

    async def change_mode(
        self, configuration: Configuration, *, org: str, mode: Mode, expected: int, by: str, reason: str
    ) -> Shown:
        """Put the org in this mode, if version `expected` of its settings is in force."""

    async def settings_in_force(self, configuration: Configuration, *, org: str) -> Shown | None:
        """The org's `settings` in force and their `version`; None before the first."""

    async def settings_difference(self, configuration: Configuration, *, org: str) -> Shown:
        """`changes` from the settings in force (of `version`) to the file's, and their `effect` on customers."""

    async def apply_settings(
        self, configuration: Configuration, *, org: str, expected: int, by: str, reason: str
    ) -> Shown:
        """Put the file's settings in force, if version `expected` is."""

    async def dead_letter_reasons(self, configuration: Configuration, *, org: str | None) -> Sequence[Shown]:
        """How many undecided dead letters have which reason, most first."""

    async def letters_to_decide(
        self, configuration: Configuration, *, org: str | None, places: Sequence[str], reason: str | None
    ) -> Sequence[Shown]:
        """The dead letters at these places, and the undecided ones whose reason contains `reason`."""

    async def retry_letters(
        self, configuration: Configuration, *, letters: Sequence[Letter], by: str, because: str | None
    ) -> Sequence[Shown]:
        """Try these again; answers each with its `status`, or with the `error` that kept it from being tried."""

    async def discard_letters(
        self, configuration: Configuration, *, letters: Sequence[Letter], by: str, because: str
    ) -> Sequence[Shown]:
        """Nothing is to be done about these any more."""

    async def agent_tool(self, configuration: Configuration) -> None:
        """Serve the agent tool on stdin and stdout until the client has gone."""

    async def agent_tool_http(self, configuration: Configuration, *, host: str, port: int) -> None:
        """Serve the agent tool over HTTP until cancelled."""
