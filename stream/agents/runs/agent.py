"""The runs agent: RunRequested → phases → RunCompleted, one run of an org at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import reduce
from typing import Any

from msgspec.structs import replace

from stream.agents.runs.desk import Desk
from stream.agents.runs.state import REMEMBERED, OrgRuns, Running
from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.commands import SweepBalances, SweepOrders
from stream.contracts.envelope import Event
from stream.contracts.facts import LinksRequested, SettingsChanged, SyncCustomer
from stream.contracts.runs import (
    RUNS,
    BalanceSweepEnded,
    ChangeSettings,
    CustomerSynced,
    OrdersSweepEnded,
    Phase,
    PhaseEntered,
    ProviderRecovered,
    ProviderUnavailable,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
    RunTally,
    Tally,
)
from stream.contracts.settings import SettingsInForce
from stream.engine.turn import Turn
from stream.engine.unit import Unit, Wide
from stream.errors import BadRecord
from stream.loyalty.rules import compile_rules


async def runs(units: AsyncIterator[Unit]) -> None:
    """Apply what happens to an org's runs. State: `stream.agents.runs.state`."""
    agent = Runs()
    async for unit in units:
        await unit.commit(agent)


class Runs:
    """See `stream.engine.unit.Agent`. Events that it publishes itself come back to it and are passed over."""

    name = "runs"
    source = topics.RUNS
    vocabulary = RUNS
    heals = False
    renewed: Sequence[bytes] = ()

    def __init__(self) -> None:
        self._apply: dict[type, Callable[[Desk, Any], None]] = {
            ChangeSettings: _change_settings,
            RunRequested: _requested,
            OrdersSweepEnded: _orders_swept,
            BalanceSweepEnded: _balances_swept,
            RunTally: _tally,
            CustomerSynced: _customer_synced,
            ProviderUnavailable: _unavailable,
            ProviderRecovered: _recovered,
        }

    def apply(self, event: Event[Any], turn: Turn) -> None:
        """Apply one event."""
        handler = self._apply.get(type(event.data))
        if handler is not None:
            # A tally says when the sweep was complete, the log when the last verdict was taken.
            handler(Desk(turn, event.org, max(event.at, turn.written_at)), event.data)

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        """Nothing in this topic is walked."""
        raise BadRecord(f"{type(event.data).__name__} must not be partition-wide")

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        """Runs have no complete, versioned outputs."""


def _change_settings(desk: Desk, data: ChangeSettings) -> None:
    """Settings are checked before they are published; on failure the old version stays."""
    known = desk.runs()
    if data.settings == known.settings or data.expected_version not in (None, known.version):
        return
    version = known.version + 1
    compile_rules(data.settings, version)
    desk.keep(replace(known, version=version, settings=data.settings))
    desk.ask_everywhere(SettingsChanged(version, data.settings), f"{desk.org}:settings:{version}")
    desk.publish_settings(SettingsInForce(version, data.settings))
    if version == 1:
        _requested(desk, RunRequested(f"{desk.org}:daily:first", RunKind.DAILY, "first start"))


def _requested(desk: Desk, data: RunRequested) -> None:
    known = desk.runs()
    if known.knows(data.run):
        return
    run = Running(data.run, data.kind, data.by, desk.at, data.customer)
    if known.settings is None:
        raise BadRecord(f"org {desk.org!r} has no settings yet: nothing can be reconciled for it")
    if data.kind is RunKind.CUSTOMER:
        _start_single(desk, known, run)
    elif known.current is not None:
        desk.keep(replace(known, queued=(*known.queued, run)))
        desk.say(PhaseEntered(run.run, Phase.QUEUED))
    else:
        _start(desk, known, run)


def _start_single(desk: Desk, known: OrgRuns, run: Running) -> None:
    """One customer's run: never queued, since it waits for nobody else's balance."""
    if run.customer is None:
        raise BadRecord(f"run {run.run!r} is about one customer but names none")
    customer = run.customer
    run = replace(run, phase=Phase.BALANCES, entered={Phase.BALANCES.value: desk.at})
    desk.keep(replace(known, singles=known.singles | {run.run: run}))
    desk.say(RunStarted(run.run, run.kind, run.by, run.customer))
    desk.ask(customer, SyncCustomer(run.run))


def _start(desk: Desk, known: OrgRuns, run: Running) -> None:
    desk.say(RunStarted(run.run, run.kind, run.by))
    if run.kind is RunKind.DAILY:
        _enter(desk, known, run, Phase.ORDERS)
        desk.command(SweepOrders(run.run, run.attempt))
    else:
        _enter(desk, known, run, Phase.BALANCES)
        event_id = f"{run.run}:{run.attempt}:LinksRequested"
        desk.ask_everywhere(LinksRequested(run.run, run.attempt), event_id)
        desk.command(SweepBalances(run.run, run.attempt))


def _enter(desk: Desk, known: OrgRuns, run: Running, phase: Phase) -> None:
    entered = replace(run, phase=phase, entered=run.entered | {phase.value: desk.at})
    desk.keep(replace(known, current=entered))
    desk.say(PhaseEntered(run.run, phase))


def _current(desk: Desk, run: str) -> tuple[OrgRuns, Running] | None:
    known = desk.runs()
    return (known, known.current) if known.current is not None and known.current.run == run else None


def _orders_swept(desk: Desk, data: OrdersSweepEnded) -> None:
    found = _current(desk, data.run)
    if found is None or found[1].phase is not Phase.ORDERS or data.attempt != found[1].attempt:
        return
    known, run = found
    if not data.complete:
        _fail(desk, known, run, data.reason or "the walk of the orders was incomplete")
        return
    _enter(desk, known, run, Phase.BALANCES)
    desk.command(SweepBalances(run.run, run.attempt))


def _balances_swept(desk: Desk, data: BalanceSweepEnded) -> None:
    found = _current(desk, data.run)
    if found is None or found[1].phase is not Phase.BALANCES or data.attempt != found[1].attempt:
        return
    known, run = found
    if data.complete:
        _enter(desk, known, run, Phase.VERDICTS)
    else:
        _fail(desk, known, run, data.reason or "the provider's balances could not be read")


def _tally(desk: Desk, data: RunTally) -> None:
    found = _current(desk, data.run)
    if found is None:
        return
    known, run = found
    run = replace(run, tallies=run.tallies | {data.partition: data.tally})
    if len(run.tallies) < data.partitions:
        desk.keep(replace(known, current=run))
        return
    total = reduce(Tally.plus, run.tallies.values())
    ended_at = run.ended_at(desk.at)
    desk.say(RunCompleted(run.run, run.kind, run.started_at, ended_at, total, run.phases(ended_at)))
    _next(desk, known, run)


def _fail(desk: Desk, known: OrgRuns, run: Running, reason: str) -> None:
    """The run ends loudly; the next one is not held up, and nothing is rolled back."""
    desk.say(RunFailed(run.run, run.kind, run.phase, reason, run.started_at, run.ended_at(desk.at)))
    desk.alert(Alert(kind=AlertKind.RUN_FAILED, org=desk.org, run=run.run, reason=f"{run.phase}: {reason}"), run.run)
    _next(desk, known, run)


def _next(desk: Desk, known: OrgRuns, ended: Running) -> None:
    known = replace(known, current=None, queued=known.queued[1:], ended=_remember(known.ended, ended.run))
    waiting = desk.runs().queued
    desk.keep(known)
    if waiting:
        _start(desk, known, waiting[0])


def _customer_synced(desk: Desk, data: CustomerSynced) -> None:
    known = desk.runs()
    run = known.singles.get(data.run)
    if run is None:
        return
    singles = {name: other for name, other in known.singles.items() if name != data.run}
    desk.keep(replace(known, singles=singles, ended_singles=_remember(known.ended_singles, data.run)))
    ended_at = run.ended_at(desk.at)
    if data.outcome == "failed":
        reason = data.reason or "the provider did not answer"
        desk.say(RunFailed(run.run, run.kind, run.phase, reason, run.started_at, ended_at, run.customer))
        return
    phases = run.phases(ended_at)
    desk.say(RunCompleted(run.run, run.kind, run.started_at, ended_at, Tally(customers=1), phases, run.customer))


def _remember(ended: tuple[str, ...], run: str) -> tuple[str, ...]:
    return (*ended, run)[-REMEMBERED:]


def _unavailable(desk: Desk, data: ProviderUnavailable) -> None:
    known = desk.runs()
    if known.unavailable_since is None:
        desk.keep(replace(known, unavailable_since=data.since))
        desk.alert(Alert(kind=AlertKind.PROVIDER_UNAVAILABLE, org=desk.org, reason=data.reason), "unavailable")


def _recovered(desk: Desk, data: ProviderRecovered) -> None:
    known = desk.runs()
    if known.unavailable_since is not None:
        desk.keep(replace(known, unavailable_since=None))
        desk.alert(Alert(kind=AlertKind.PROVIDER_RECOVERED, org=desk.org), "recovered")
