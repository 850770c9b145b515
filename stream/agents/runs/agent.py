"""The runs agent: RunRequested → phases → RunCompleted, one run of an org at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from stream.agents.runs import course, provider
from stream.agents.runs.clock import scheduled_from, tick
from stream.agents.runs.desk import Desk
from stream.agents.runs.state import STATUSES_REMEMBERED, OrgRuns, Running
from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.commands import SweepBalances
from stream.contracts.envelope import Event
from stream.contracts.facts import SettingsChanged
from stream.contracts.runs import (
    ALLEAVES,
    ALPINE_IQ,
    RUNS,
    BalanceSweepEnded,
    ChangeSettings,
    CustomerSynced,
    OrdersSweepEnded,
    Phase,
    ProviderRecovered,
    ProviderUnavailable,
    RunKind,
    RunRequested,
    RunTally,
    Tick,
    VendorUse,
)
from stream.contracts.settings import SettingsInForce
from stream.engine.agent import Wide
from stream.engine.turn import Turn
from stream.engine.unit import Unit
from stream.errors import BadRecord
from stream.loyalty.acceptance import check_settings


async def runs(units: AsyncIterator[Unit]) -> None:
    """Apply what happens to an org's runs. State: `stream.agents.runs.state`."""
    agent = Runs()
    async for unit in units:
        await unit.commit(agent)


class Runs:
    """See `stream.engine.agent.Agent`. What it says itself comes back to it, however late, and is passed over."""

    name = "runs"
    source = topics.RUNS
    vocabulary = RUNS
    heals = False
    renewed: Sequence[bytes] = ()

    def __init__(self) -> None:
        self._apply: dict[type, Callable[[Desk, Any], None]] = {
            ChangeSettings: _change_settings,
            RunRequested: course.begin,
            OrdersSweepEnded: _orders_swept,
            BalanceSweepEnded: _balances_swept,
            RunTally: _tally,
            CustomerSynced: _customer_synced,
            ProviderUnavailable: provider.unavailable,
            ProviderRecovered: provider.recovered,
        }

    def apply(self, event: Event[Any], turn: Turn) -> None:
        """Apply one event."""
        if event.source == turn.source:
            return
        # A tally says when the sweep was complete, the log when the last verdict was taken.
        at = max(event.at, turn.written_at)
        if isinstance(event.data, Tick):
            tick(turn, event.data.minute, at)
            return
        handler = self._apply.get(type(event.data))
        if handler is not None:
            handler(Desk(turn, event.org, at), event.data)

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        """Nothing in this topic is walked."""
        raise BadRecord(f"{type(event.data).__name__} must not be partition-wide")

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        """Runs have no complete, versioned outputs."""


def _change_settings(desk: Desk, data: ChangeSettings) -> None:
    """Settings are checked before they are published; on failure the old version stays."""
    known, chosen = desk.runs(), data.settings
    if chosen == known.settings or data.expected_version not in (None, known.version):
        return
    version = known.version + 1
    check_settings(chosen)
    since = scheduled_from(known, chosen, desk.at)
    desk.keep(replace(known, version=version, settings=chosen, scheduled_from=since))
    desk.ask_everywhere(SettingsChanged(version, chosen), f"{desk.org}:settings:{version}")
    desk.publish_settings(SettingsInForce(version, chosen))
    if version == 1:
        course.begin(desk, RunRequested(f"{desk.org}:daily:first", RunKind.DAILY, "first start"))


def _current(desk: Desk, run: str) -> tuple[OrgRuns, Running] | None:
    known = desk.runs()
    return (known, known.current) if known.current is not None and known.current.run == run else None


def _in_phase(desk: Desk, data: OrdersSweepEnded | BalanceSweepEnded, phase: Phase) -> tuple[OrgRuns, Running] | None:
    found = _current(desk, data.run)
    return found if found is not None and (found[1].phase, found[1].attempt) == (phase, data.attempt) else None


def _orders_swept(desk: Desk, data: OrdersSweepEnded) -> None:
    found = _in_phase(desk, data, Phase.ORDERS)
    if found is None:
        return
    known, run = found[0], _used(found[1], ALLEAVES, data)
    if not data.complete:
        course.fail(desk, known, run, data.reason or "the walk of the orders was incomplete")
        return
    course.enter(desk, known, run, Phase.BALANCES)
    desk.command(SweepBalances(run.run, run.attempt))


def _balances_swept(desk: Desk, data: BalanceSweepEnded) -> None:
    found = _in_phase(desk, data, Phase.BALANCES)
    if found is None:
        return
    run = _used(found[1], ALPINE_IQ, data)
    if data.complete:
        provider.answered(desk)
        course.enter(desk, desk.runs(), run, Phase.VERDICTS)
    else:
        course.fail(desk, found[0], run, data.reason or "the provider's balances could not be read")


def _used(run: Running, vendor: str, data: OrdersSweepEnded | BalanceSweepEnded) -> Running:
    return replace(run, vendors=run.vendors | {vendor: VendorUse.of(data.calls, data.errors, data.unreadable)})


def _tally(desk: Desk, data: RunTally) -> None:
    if _current(desk, data.run) is None:
        return
    _tell_unknown_statuses(desk, data)
    known = desk.runs()
    assert known.current is not None
    run = replace(known.current, tallies=known.current.tallies | {data.partition: data.tally})
    if len(run.tallies) < data.partitions:
        desk.keep(replace(known, current=run))
    else:
        course.complete(desk, known, run)


def _tell_unknown_statuses(desk: Desk, data: RunTally) -> None:
    """Each once in the life of an org: whoever gives it a meaning must see it, and not every night."""
    for number, status in enumerate(data.unknown_statuses):
        known, name = desk.runs(), status.casefold()
        if name in known.statuses_told or len(known.statuses_told) >= STATUSES_REMEMBERED:
            continue
        desk.keep(replace(known, statuses_told=(*known.statuses_told, name)))
        reason = (
            f"The point of sale uses the order status {status!r}, which the settings do not name. Its orders count as "
            "pending and earn nothing until `statuses` says what it means."
        )
        alert = Alert(kind=AlertKind.ORDER_STATUS_UNKNOWN, org=desk.org, run=data.run, reason=reason)
        desk.alert(alert, f"status-{number}")


def _customer_synced(desk: Desk, data: CustomerSynced) -> None:
    known = desk.runs()
    run = known.singles.get(data.run)
    if run is None:
        return
    if data.outcome == "failed":
        course.fail_single(desk, known, run, data.reason or "the provider did not answer")
    else:
        course.complete_single(desk, known, run, data.outcome)
