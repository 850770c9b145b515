"""The bulk sweep: every member of the provider, some thousands a call, between SweepStarted and SweepCompleted.

What moved the balances since is read beside it (`producers.alpine_iq.movements`) and published before SweepCompleted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import structlog

from producers.alpine_iq import translate
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import AlpineIQClient, MembersPage
from producers.alpine_iq.movements import Movements
from producers.http import Clock
from producers.identity import Identities
from producers.redaction import redacted
from stream.contracts import topics
from stream.contracts.identities import IDENTITIES, SweepCompleted, SweepStarted
from stream.contracts.names import Identity, Millis, OrgId
from stream.contracts.runs import BalanceSweepEnded
from stream.engine.ports import Output, Publisher
from stream.errors import LoyaltyError, Unreadable, VendorError

log = structlog.get_logger(__name__)

PAGES_TOGETHER = 50
"""A total is believed so far ahead."""
PASSES = 2
"""Rows shift between pages when members come and go: a pass during which they did may have missed some."""


class BalanceSweep:
    """Sweeps of one org. What cannot be read becomes a dead letter; the rest of its page goes on."""

    def __init__(
        self,
        org: OrgId,
        client: AlpineIQClient,
        identities: Identities,
        publisher: Publisher,
        availability: Availability,
        *,
        movements: Movements | None = None,
        page_size: int = 2000,
        clock: Clock | None = None,
    ) -> None:
        self._org = org
        self._client = client
        self._identities = identities
        self._publisher = publisher
        self._availability = availability
        self._movements = movements
        self._page_size = page_size
        self._clock = clock or Clock()

    async def sweep(self, run: str, attempt: int) -> BalanceSweepEnded:
        """Read all members and publish their balances, and what moved them.

        SweepCompleted is published, everywhere, only when every page was read, their number fits and, where verdicts
        rest on them, the movements were read; otherwise the result says why not. Raises `Unreachable` when Kafka does
        not take the records.
        """
        budget = self._client.http.budget
        calls_before, errors_before = budget.calls, budget.errors.copy()
        sweep = _Sweep(translate.Request(self._org, run, attempt))
        await self._client.http.until_admitted()
        reason = await self._read(sweep)
        if reason is None:
            await self._complete(sweep)
        calls, errors = budget.calls - calls_before, dict(budget.errors - errors_before)
        log.info(
            "balance sweep ended",
            org=self._org,
            run=run,
            attempt=attempt,
            complete=reason is None,
            members=sweep.members,
            unreadable=sweep.unreadable,
            calls=calls,
            errors=errors,
            reason=reason,
        )
        return BalanceSweepEnded(run, attempt, reason is None, sweep.members, calls, reason, errors, sweep.unreadable)

    async def _read(self, sweep: _Sweep) -> str | None:
        """Both sides at the same time; None when all was read that verdicts rest on, else why not."""
        if self._movements is None:
            return await self._balances(sweep)
        async with self._movements.beside() as movements:
            reason = await self._balances(sweep)
            if reason is None:
                reason = await movements.publish(sweep.identities_of)
                sweep.unreadable += movements.unreadable
            return reason

    async def _balances(self, sweep: _Sweep) -> str | None:
        try:
            reason = await self._read_all(sweep)
        except VendorError as error:
            await self._availability.failed(error)
            return redacted(str(error))
        await self._availability.answered()
        return reason

    async def _read_all(self, sweep: _Sweep) -> str | None:
        """None when every member was read, else why not."""
        for _ in range(PASSES):
            sweep.begin_pass()
            first = await self._page(sweep, 0)
            if sweep.total is None and not first.rows:
                return "the provider listed no members and did not say that there are none"
            await self._rest(sweep, stride=len(first.rows))
            if sweep.settled:
                return None
        if sweep.rows < (sweep.total or 0):
            return f"the provider says that it has {sweep.total} members, but listed {sweep.rows}"
        if sweep.holes:
            return (
                f"the provider says that it has {sweep.total} members, but listed nobody new from {min(sweep.holes)} on"
            )
        return None  # the provider always lists some members twice

    async def _rest(self, sweep: _Sweep, stride: int) -> None:
        """The pages after the first: all at once where their number is known, then on until a page is short: a list
        may go on where a total stops counting."""
        if stride == 0:
            return
        if sweep.total is not None:
            await self._together(sweep, range(stride, sweep.total, stride))
        while sweep.more_expected(stride, self._page_size):
            if not await self._brings_more(sweep):
                return

    async def _brings_more(self, sweep: _Sweep) -> bool:
        """Whether the next page has anybody new: a vendor that does not page would be asked for ever."""
        known = sweep.members
        page = await self._page(sweep, sweep.rows)
        if page.rows and sweep.total is None and sweep.members == known:
            raise Unreadable("the provider lists the same members again and again")
        return sweep.members > known

    async def _together(self, sweep: _Sweep, starts: range) -> None:
        """Some at a time: a total may be beyond belief, and none of them has anything."""
        for first in range(0, len(starts), PAGES_TOGETHER):
            before = sweep.rows
            await self._at_once(sweep, starts[first : first + PAGES_TOGETHER])
            if sweep.rows == before:
                return

    async def _at_once(self, sweep: _Sweep, starts: range) -> None:
        failure: LoyaltyError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for start in starts:
                    tasks.create_task(self._page(sweep, start))
        except* LoyaltyError as group:
            failure = _first(group)
        if failure is not None:
            raise failure

    async def _page(self, sweep: _Sweep, start: int) -> MembersPage:
        page = await self._client.members(start, self._page_size)
        if sweep.started_at is None:
            sweep.started_at = page.observed_at
            await self._everywhere(SweepStarted(sweep.request.run, sweep.request.attempt, page.observed_at), sweep)
        # What is known of the vendor's clock may improve meanwhile; no page was asked for before the sweep began.
        page = page._replace(observed_at=max(page.observed_at, sweep.started_at))
        before = sweep.met
        outputs = self._translated(sweep, page)
        repeated = sweep.met == before
        await self._publisher.publish(outputs)
        sweep.take(start, page, repeated)
        return page

    def _translated(self, sweep: _Sweep, page: MembersPage) -> list[Output]:
        outputs = []
        for raw in page.rows:
            try:
                balance = translate.member_balance(raw, self._identities)
            except Unreadable as error:
                if sweep.first_sight(raw):
                    sweep.unreadable += 1
                    outputs.append(translate.dead_letter(raw, str(error), page.observed_at, self._org))
                continue
            sweep.identities_of[balance.contact] = balance.identities
            if not sweep.first_sight((balance.contact, balance.points)):
                continue
            outputs += translate.observations(balance, page.observed_at, sweep.request)
            if balance.problem is not None:
                sweep.unreadable += 1
                outputs.append(translate.dead_letter(raw, balance.problem, page.observed_at, self._org))
        return outputs

    async def _complete(self, sweep: _Sweep) -> None:
        assert sweep.started_at is not None, "a sweep that is complete has read a page"
        run, attempt = sweep.request.run, sweep.request.attempt
        await self._everywhere(SweepCompleted(run, attempt, sweep.started_at, sweep.members), sweep)

    async def _everywhere(self, body: msgspec.Struct, sweep: _Sweep) -> None:
        now = int(self._clock.wall() * 1000)  # when it was said, by our clock; the vendor's is in the body
        event_id = f"{type(body).__name__}:{sweep.request.run}:{sweep.request.attempt}"
        value = IDENTITIES.encode(body, org=self._org, at=now, source=translate.SOURCE, event_id=event_id)
        await self._publisher.publish_everywhere(Output(topics.IDENTITIES.name, self._org.encode(), value))


@dataclass
class _Sweep:
    """How far a sweep has got. `rows` counts this pass, repeats included; `members` each member once. `identities_of`:
    contact → what its row has."""

    request: translate.Request
    started_at: Millis | None = None
    total: int | None = None
    rows: int = 0
    unreadable: int = 0
    """Rows that became a dead letter."""
    holes: set[int] = field(default_factory=set)
    """Where this pass was given nothing, or a whole page again, though there should be something: rows read twice do
    not make up for it."""
    identities_of: dict[str, tuple[Identity, ...]] = field(default_factory=dict)
    _last_start: int = -1
    _last_rows: int = 0
    _totals: set[int | None] = field(default_factory=set)
    _seen: set[bytes | tuple[str, int | None]] = field(default_factory=set)
    _members: set[bytes | str] = field(default_factory=set)
    _met: set[bytes | str] = field(default_factory=set)
    _full: int = 0

    @property
    def members(self) -> int:
        return len(self._members)

    @property
    def met(self) -> int:
        """Members met in this pass."""
        return len(self._met)

    @property
    def settled(self) -> bool:
        """Whether as many members were read as the provider says it has, and said throughout the pass."""
        return self.total is None or (len(self._totals) == 1 and self.members >= self.total)

    def begin_pass(self) -> None:
        self.rows, self._last_start, self._last_rows = 0, -1, 0
        self._totals.clear()
        self.holes.clear()
        self._met.clear()

    def first_sight(self, row: bytes | tuple[str, int | None]) -> bool:
        """Whether this member with this balance, or this row that is nobody's, is new in the sweep."""
        member = row if isinstance(row, bytes) else row[0]
        self._members.add(member)
        self._met.add(member)
        if row in self._seen:
            return False
        self._seen.add(row)
        return True

    def take(self, start: int, page: MembersPage, repeated: bool) -> None:
        """`repeated`: the pass had met everybody on it before."""
        self.rows += len(page.rows)
        if start == 0:
            self._full = len(page.rows)
        if start < (page.total or 0) and (not page.rows or (repeated and len(page.rows) >= self._full)):
            self.holes.add(start)
        self._totals.add(page.total)
        if start > self._last_start:  # the last page knows best how many there are
            self._last_start, self._last_rows = start, len(page.rows)
            self.total = page.total

    def more_expected(self, stride: int, asked: int) -> bool:
        """Whether the last page read leaves something to be read. `stride`: the rows of the first page, for which
        `asked` had been asked: alone and shorter than that it is the whole list, unless nobody says so."""
        full = self._last_rows >= stride
        if self.total is None:
            return full
        return self.rows < self.total or (full and (self.rows > stride or stride >= asked))


def _first(group: BaseExceptionGroup[LoyaltyError]) -> LoyaltyError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, LoyaltyError)
    return error
