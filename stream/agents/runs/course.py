"""The course of a run: started or queued, phase after phase, to one of its two ends."""

from __future__ import annotations

from functools import reduce

from msgspec.structs import replace

from stream.agents.after_loss import is_after_loss
from stream.agents.runs.desk import Desk
from stream.agents.runs.state import OrgRuns, Running, remember
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.commands import SweepBalances, SweepOrders
from stream.contracts.facts import LinksRequested, SettingsChanged, SyncCustomer
from stream.contracts.runs import (
    Phase,
    PhaseEntered,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
    Tally,
)
from stream.errors import BadRecord

MOST_QUEUED = 50
MOST_SINGLES = 1_000
"""Runs that wait, and runs of one customer that are under way: all are in one value, which every event of the org
writes anew. More of the latter than the provider answers within their deadline."""


def begin(desk: Desk, data: RunRequested, *, scheduled: bool = False) -> None:
    """Start the run, or queue it behind the one that is under way. A run that is known is not begun again.

    Where as many wait as may, it has failed at once, and may be asked for again; but not if it is `scheduled`.
    """
    known = desk.runs()
    if known.knows(data.run):
        return
    run = Running(data.run, data.kind, data.by, desk.at, data.customer)
    if known.settings is None:
        raise BadRecord(f"org {desk.org!r} has no settings yet: nothing can be reconciled for it")
    if data.kind is RunKind.CUSTOMER:
        _start_single(desk, known, run)
    elif len(known.queued) >= MOST_QUEUED and not scheduled:
        _say_failed(desk, run, f"{MOST_QUEUED} runs of the org are waiting already")
    elif known.current is not None:
        desk.keep(replace(known, queued=(*known.queued, run)))
        desk.say(PhaseEntered(run.run, Phase.QUEUED))
    else:
        _start(desk, known, run)


def enter(desk: Desk, known: OrgRuns, run: Running, phase: Phase) -> None:
    """The run goes on to `phase`."""
    entered = replace(run, phase=phase, entered=run.entered | {phase.value: desk.at})
    desk.keep(replace(known, current=entered))
    desk.say(PhaseEntered(run.run, phase))


def complete(desk: Desk, known: OrgRuns, run: Running) -> None:
    """All partitions have taken their verdicts."""
    total = _total(run)
    ended_at = run.ended_at(desk.at)
    desk.say(
        RunCompleted(
            *(run.run, run.kind, run.started_at, ended_at, total, run.phases(ended_at)),
            by=run.by,
            queued_ms=run.queued_ms,
            vendors=run.vendors,
        )
    )
    _next(desk, replace(known, failing=None), run)


def fail(desk: Desk, known: OrgRuns, run: Running, reason: str) -> None:
    """The run ends loudly; the next one is not held up, and nothing is rolled back."""
    _say_failed(desk, run, reason)
    if _is_news(known, run):
        alert = Alert(kind=AlertKind.RUN_FAILED, org=desk.org, run=run.run, reason=f"{run.phase}: {reason}")
        desk.alert(alert, run.run)
        known = replace(known, failing=run.phase)
    _next(desk, known, run)


def complete_single(desk: Desk, known: OrgRuns, run: Running, verdict: str) -> None:
    """One customer's run has its answer."""
    _let_go_of_single(desk, known, run)
    counted = {verdict: 1} if verdict in Tally.__struct_fields__ else {}
    ended_at = run.ended_at(desk.at)
    desk.say(
        RunCompleted(
            *(run.run, run.kind, run.started_at, ended_at, Tally(customers=1, **counted), run.phases(ended_at)),
            customer=run.customer,
            by=run.by,
        )
    )


def fail_single(desk: Desk, known: OrgRuns, run: Running, reason: str) -> None:
    """One customer's run ends without an answer: whoever asked is told, nobody else."""
    _let_go_of_single(desk, known, run)
    _say_failed(desk, run, reason)


def _start(desk: Desk, known: OrgRuns, run: Running) -> None:
    desk.say(RunStarted(run.run, run.kind, run.by))
    if is_after_loss(run.run) and known.settings is not None:
        in_force = SettingsChanged(known.version, known.settings)
        desk.ask_everywhere(in_force, f"{desk.org}:settings:{known.version}:{run.run}")
    if run.kind is RunKind.DAILY:
        enter(desk, known, run, Phase.ORDERS)
        desk.command(SweepOrders(run.run, run.attempt))
    else:
        enter(desk, known, run, Phase.BALANCES)
        event_id = f"{run.run}:{run.attempt}:LinksRequested"
        desk.ask_everywhere(LinksRequested(run.run, run.attempt), event_id)
        desk.command(SweepBalances(run.run, run.attempt))


def _start_single(desk: Desk, known: OrgRuns, run: Running) -> None:
    """One customer's run: never queued, since it waits for nobody else's balance."""
    if run.customer is None:
        raise BadRecord(f"run {run.run!r} is about one customer but names none")
    customer = run.customer
    if len(known.singles) >= MOST_SINGLES:
        _say_failed(desk, run, f"{MOST_SINGLES} customers are being synced already")
        return
    run = replace(run, phase=Phase.BALANCES, entered={Phase.BALANCES.value: desk.at})
    desk.keep(replace(known, singles=known.singles | {run.run: run}))
    desk.say(RunStarted(run.run, run.kind, run.by, run.customer))
    desk.ask(customer, SyncCustomer(run.run))


def _next(desk: Desk, known: OrgRuns, ended: Running) -> None:
    waiting = known.queued
    known = replace(known, current=None, queued=waiting[1:], ended=remember(known.ended, ended.run))
    desk.keep(known)
    if waiting:
        _start(desk, known, waiting[0])


def _let_go_of_single(desk: Desk, known: OrgRuns, run: Running) -> None:
    singles = {name: other for name, other in known.singles.items() if name != run.run}
    desk.keep(replace(known, singles=singles, ended_singles=remember(known.ended_singles, run.run)))


def _is_news(known: OrgRuns, run: Running) -> bool:
    """Whether people are to be alerted: of a daily run always. An intraday one comes again within the hour: while the
    provider is known to be away, or such runs keep failing in one phase, they have been told already."""
    if run.kind is not RunKind.BALANCES:
        return True
    provider_is_away = known.unavailable_since is not None and run.phase is Phase.BALANCES
    return not provider_is_away and known.failing is not run.phase


def _say_failed(desk: Desk, run: Running, reason: str) -> None:
    ended_at = run.ended_at(desk.at)
    desk.say(
        RunFailed(
            *(run.run, run.kind, run.phase, reason, run.started_at, ended_at, run.customer),
            by=run.by,
            queued_ms=run.queued_ms,
            phases=run.phases(ended_at),
            tally=_total(run) if run.tallies else None,
            vendors=run.vendors,
        )
    )


def _total(run: Running) -> Tally:
    return replace(reduce(Tally.plus, run.tallies.values()), dead_letters=run.unreadable)
