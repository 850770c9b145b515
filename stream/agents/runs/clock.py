"""What a tick makes due: runs over their deadline, the daily run, the intraday one. Nothing else here knows the time.

Whatever the clock does, a daily slot (`org:daily:YYYY-MM-DD`, the org's local date) is begun once: slots that were
dealt with are remembered, only the newest one is looked at, and after a step back those before it are left alone.
"""

from __future__ import annotations

from msgspec.structs import replace

from stream.agents.runs import course
from stream.agents.runs.desk import Desk
from stream.agents.runs.state import CLOCK, ORGS, SLOTS_REMEMBERED, Clock, OrgRuns, Running, remember
from stream.contracts.runs import RunKind, RunRequested
from stream.contracts.settings import OrgSettings
from stream.engine.turn import Turn
from stream.loyalty.schedule import MINUTE_MS, daily_slot, intraday_slot

BY = "schedule"
"""Who starts the runs that are due."""
SINGLE_DEADLINE_MINUTES = 5
"""Of one customer's run: somebody is waiting for it."""


def tick(turn: Turn, minute: int, at: int) -> None:
    """The clock says `minute`. The same minute again says nothing: workers repeat it when partitions change hands."""
    before = turn.state.get(CLOCK, Clock)
    if before is not None and minute == before.minute:
        return
    turn.state.put(CLOCK, Clock(minute))
    set_back = before is not None and minute < before.minute
    for key in [key for key, _ in turn.state.scan(ORGS, OrgRuns)]:
        desk = Desk(turn, key.removeprefix(ORGS).decode(), at)
        _set_clock(desk, minute, set_back=set_back)
        _fail_overdue(desk, minute)
        settings = desk.runs().settings
        if settings is not None:
            _begin_daily(desk, settings, minute)
            _begin_intraday(desk, settings, minute)


def scheduled_from(known: OrgRuns, chosen: OrgSettings, at: int) -> int:
    """Up to when slots are not made up for, once settings are changed to `chosen` at `at`: a schedule holds from then
    on. Should `at` come from a clock that is ahead, the next tick corrects it."""
    if known.settings is not None and _times(known.settings) == _times(chosen):
        return known.scheduled_from
    return max(known.scheduled_from, at)


def _times(settings: OrgSettings) -> tuple[str | None, int, str]:
    return settings.schedule.daily_at, settings.schedule.intraday_minutes, settings.time_zone


def _set_clock(desk: Desk, minute: int, *, set_back: bool) -> None:
    """A clock that was set back would make due again what lies behind it, and put deadlines off."""
    known = desk.runs()
    since = minute if set_back else min(known.scheduled_from, minute)
    current = known.current and _set_back(known.current, minute)
    singles = {name: _set_back(run, minute) for name, run in known.singles.items()}
    through = min(known.intraday_through, minute)
    changed = replace(known, scheduled_from=since, current=current, singles=singles, intraday_through=through)
    if changed != known:
        desk.keep(changed)


def _set_back(run: Running, minute: int) -> Running:
    return replace(run, timed_from=minute) if minute + MINUTE_MS <= run.deadline_from else run


def _fail_overdue(desk: Desk, minute: int) -> None:
    known = desk.runs()
    if known.current is not None and known.settings is not None:
        limit = known.settings.schedule.deadline_minutes
        if _overdue(known.current, minute, limit):
            course.fail(desk, known, known.current, _too_long(limit))
    for run in known.singles.values():
        if _overdue(run, minute, SINGLE_DEADLINE_MINUTES):
            course.fail_single(desk, desk.runs(), run, _too_long(SINGLE_DEADLINE_MINUTES))


def _overdue(run: Running, minute: int, limit_minutes: int) -> bool:
    return minute - run.deadline_from >= limit_minutes * MINUTE_MS


def _too_long(limit_minutes: int) -> str:
    return f"not through {limit_minutes} minutes after its start, which is its deadline"


def _begin_daily(desk: Desk, settings: OrgSettings, minute: int) -> None:
    known = desk.runs()
    slot = daily_slot(settings, minute)
    if slot is None or slot.at <= known.scheduled_from:
        return
    run = f"{desk.org}:{RunKind.DAILY}:{slot.name}"
    if run in known.slots:
        return
    _begin(desk, run, RunKind.DAILY)
    known = desk.runs()
    desk.keep(replace(known, slots=remember(known.slots, run, SLOTS_REMEMBERED)))


def _begin_intraday(desk: Desk, settings: OrgSettings, minute: int) -> None:
    """One that would have to wait is left out: what is under way asks for the balances too, and later."""
    known = desk.runs()
    slot = intraday_slot(settings, minute)
    if slot is None or slot.at <= max(known.scheduled_from, known.intraday_through):
        return
    desk.keep(replace(known, intraday_through=slot.at))
    if known.current is None:
        _begin(desk, f"{desk.org}:{RunKind.BALANCES}:{slot.name}", RunKind.BALANCES)


def _begin(desk: Desk, run: str, kind: RunKind) -> None:
    request = RunRequested(run, kind, BY)
    if not desk.runs().knows(run):
        desk.say(request)  # for those who watch
        course.begin(desk, request, scheduled=True)
