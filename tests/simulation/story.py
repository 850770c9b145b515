"""A story of a shop: trade, runs and accidents at random moments, then quiet, in which the truth must come out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from random import Random

import structlog

from producers.http import Clock
from stream.contracts import topics
from stream.contracts.runs import RUNS, ChangeSettings, RunCompleted, RunFailed, RunKind, RunRequested, RunStarted
from stream.contracts.settings import Accrual, Basis, Compare, Mode, OrgSettings, RoundingMode, RoundingPer, Tolerance
from stream.engine import unit
from stream.engine.memory.log import MemoryBroker
from stream.engine.ports import Output
from stream.sandbox.oracle import Rules
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import World
from stream.sandbox.world.options import Hostility, Listing, WorldOptions, WorldSize
from tests.simulation.log import SlowLog
from tests.simulation.producing import ORG, Producers
from tests.simulation.told import Told
from tests.simulation.truths import check_all, check_replay
from tests.simulation.vendors import Vendors, alleaves_settings
from tests.simulation.virtual_time import run_in_virtual_time
from tests.simulation.working import Worker

BEGINNING_SECONDS = 1_769_800_000.0
SETTLE_SECONDS = 30
SKEW_SECONDS = 150
"""A hostile world's two clocks are not further apart."""
QUIET_RUNS = 3
"""One to find what pollers missed, one more to remove what is gone, and one when that has settled."""
RUN_ATTEMPTS = 3
ECHOES = 300
PATIENCE_SECONDS = 1_800.0
LOOK_SECONDS = 0.5


@dataclass
class Summary:
    """What happened in a story, or in several."""

    seeds: int = 0
    units: int = 0
    changes: int = 0
    deaths: int = 0
    runs: int = 0
    failed_runs: int = 0
    seconds: float = 0.0

    def __add__(self, other: Summary) -> Summary:
        mine, theirs = asdict(self), asdict(other)
        return Summary(**{name: mine[name] + theirs[name] for name in mine})

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds: {self.seconds / 3600:.1f} h of shop time, {self.changes} changes in the shops, "
            f"{self.units} units, {self.deaths} deaths, {self.runs} runs of which {self.failed_runs} failed"
        )


def simulate(seed: int, acts: int = 2) -> Summary:
    """One story, of so many busy times each of which ends in quiet. Raises AssertionError when it ends wrongly."""
    state = random.getstate()
    random.seed(seed)  # the clients' jitter
    chunk, configured = unit.CHUNK_KEYS, structlog.get_config()
    unit.CHUNK_KEYS = Random(seed).choice((2, 7, chunk))
    structlog.configure(processors=[_unsaid])
    try:
        return run_in_virtual_time(_Story(seed).told(acts))
    finally:
        unit.CHUNK_KEYS = chunk
        structlog.configure(**configured)
        random.setstate(state)


def _unsaid(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def world_of(draw: Random, seed: int) -> World:
    """A small shop, every third one hostile."""
    customers = draw.randrange(12, 90)
    members = draw.randrange(6, customers - 4)
    size = WorldSize(
        orders=round(customers * draw.uniform(1.2, 3)),
        customers=customers,
        members=members,
        discrepancies=draw.randrange(0, min(5, members - 1)),
        strangers=draw.choice((0, 3, 80)),
    )
    listing = Listing(
        newest_first=draw.random() < 0.5,
        end_inclusive=draw.random() < 0.5,
        utc_offset_hours=draw.choice((-7, 0, 9)),
        repeat_every=draw.choice((0, 2, 3)),
        max_page_size=draw.choice((25, 100)),
    )
    hostility = Hostility(malformed_each=1, names=14, walk_in_orders=20) if seed % 3 == 0 else None
    options = WorldOptions(size, listing, hostility, movements=draw.random() < 0.5)
    return build_world(seed, int(BEGINNING_SECONDS * 1000), options=options)


class _Story:
    def __init__(self, seed: int) -> None:
        draw = self.draw = Random(f"story:{seed}")
        self.summary = Summary(seeds=1)
        self.world = world_of(draw, seed)
        self.broker = MemoryBroker(draw.choice((1, 2, 3, 5)))
        self.log = SlowLog(self.broker, draw)
        self.clock = Clock(
            wall=lambda: BEGINNING_SECONDS + asyncio.get_running_loop().time(),
            monotonic=lambda: asyncio.get_running_loop().time(),
        )
        self.vendors = Vendors(self.world, self.clock, draw, seconds=draw.choice((0.02, 0.3, 1.3)))
        access = alleaves_settings(
            poll_seconds=draw.choice((15, 60)), page_size=draw.choice((25, 100)), customers_page_size=40
        )
        self.producers = Producers(self.vendors, self.log, access, self.clock)
        self.worker = Worker(self.broker, draw)
        self.told_so_far = Told(self.broker)
        self.rules: Rules = {}
        self.asked = 0
        self.settle_seconds = SETTLE_SECONDS + (SKEW_SECONDS if self.world.options.hostility else 1)
        self.accidents: list[tuple[float, Callable[[], None]]] = [
            (50, self._trade),
            (6, self.worker.doom),
            (3, self._kill_producers),
            (4, self._ask_for_all),
            (6, self._ask_for_one),
            (6, self._repeat),
            (2, self._outage),
            (1, self._change_settings),
        ]
        self._tasks: set[asyncio.Task[None]] = set()

    async def told(self, acts: int) -> Summary:
        await self.worker.start()
        working = asyncio.create_task(self.worker.run())
        self._ask(ChangeSettings(self._settings({}), "configuration file", 0))
        self.producers.start()
        if self.draw.random() < 0.5:  # the first run in peace
            await self._until(self._at_rest)
            check_all(self.world, self.rules, self.broker)
        for _ in range(acts):
            await self._busy(self.draw.uniform(30, 150))
            await self._quiet(working)
            check_all(self.world, self.rules, self.broker)
            await self._echo()
            check_all(self.world, self.rules, self.broker)
        await self.producers.kill()
        working.cancel()
        await self.worker.finish()
        await check_replay(self.broker)
        return self._summed_up()

    # --- busy ---

    async def _busy(self, seconds: float) -> None:
        loop, draw = asyncio.get_running_loop(), self.draw
        self.log.trouble = draw.choice((0.0, 0.02, 0.1))
        end = loop.time() + seconds
        weights, accidents = zip(*self.accidents, strict=True)
        while loop.time() < end:
            await asyncio.sleep(draw.expovariate(1 / 2))
            draw.choices(accidents, weights)[0]()

    def _trade(self) -> None:
        changes = self.draw.choice((1, 1, 1, 4))
        self.vendors.trade.run(changes, self.vendors.alleaves.now_ms())
        self.summary.changes += changes

    def _kill_producers(self) -> None:
        async def killed() -> None:
            await self.producers.kill()
            self.producers.start()

        self.summary.deaths += 1
        self._begin(killed())

    def _ask_for_all(self) -> None:
        self._request(self.draw.choice((RunKind.DAILY, RunKind.BALANCES)))

    def _ask_for_one(self) -> None:
        self._request(RunKind.CUSTOMER, str(self.vendors.world.random_customer(self.draw).customer_id))

    def _repeat(self) -> None:
        """Something that was published before arrives late, and once more."""
        facts = [record for record in self.log.published if record.topic == topics.FACTS.name]
        for record in self.draw.choices(facts, k=self.draw.choice((1, 5, 50))) if facts else ():
            self.log.append(record)

    def _outage(self) -> None:
        wire, seconds = self.draw.choice(self.vendors.wires), self.draw.choice((2, 20, 120))

        async def away() -> None:
            self.vendors.outage(wire, True)
            await asyncio.sleep(seconds)
            self.vendors.outage(wire, False)

        self._begin(away())

    def _change_settings(self) -> None:
        draw = self.draw
        rules: Rules = {
            "pointsPerDollar": draw.choice(("1", "0.5", "2.25")),
            "equityMultiplier": draw.choice(("1.2", "1", "1.333")),
            "rounding": draw.choice(("half_up", "floor")),
            "roundPer": draw.choice(("total", "order")),
            "basis": draw.choice(("total", "total_less_tax", "subtotal")),
            "tolerancePercent": draw.choice(("10", "3", "50")),
            "compare": draw.choice(("raw", "expected")),
        }
        self.rules = rules
        self._ask(ChangeSettings(self._settings(rules), "owner"))

    # --- quiet ---

    async def _quiet(self, working: asyncio.Task[None]) -> None:
        """Nothing changes in the shop any more; processes still die, sometimes."""
        await self._ended_accidents()
        if self.draw.random() < 0.5:
            self.log.trouble = 0.0
        for _ in range(QUIET_RUNS):
            await self._until(self._at_rest)
            await asyncio.sleep(self.settle_seconds)  # what a walk finds changed has changed just now
            await self._complete_run()
        await self._until(self._at_rest)
        assert not working.done(), working
        assert not self.worker.stopped, self.worker.stopped

    async def _echo(self) -> None:
        """Much of what producers ever said of customers arrives once more, and changes nothing."""
        facts = [record for record in self.log.published if record.topic == topics.FACTS.name]
        for record in self.draw.sample(facts, min(len(facts), ECHOES)):
            self.log.append(record)
        await self._until(self._at_rest)

    async def _complete_run(self) -> None:
        """A daily run; once more while it fails, as it may where vendors fail at random."""
        for _ in range(RUN_ATTEMPTS):
            run = self._request(RunKind.DAILY)
            if self.draw.random() < 0.4:
                await asyncio.sleep(self.draw.uniform(0, 10))
                self.draw.choice((self.worker.doom, self._kill_producers))()
            await self._until(lambda run=run: run in self._ended())  # type: ignore[misc]
            await self._ended_accidents()
            if run in self._completed():
                return
        raise AssertionError(f"{run} and those before it failed: {self.told_so_far.runs(RunFailed)[-1].reason}")

    async def _ended_accidents(self) -> None:
        await asyncio.gather(*self._tasks)

    def _completed(self) -> set[str]:
        return {run.run for run in self.told_so_far.runs(RunCompleted)}

    def _ended(self) -> set[str]:
        return self._completed() | {run.run for run in self.told_so_far.runs(RunFailed)}

    def _at_rest(self) -> bool:
        """Everything that was asked for was done, and nobody has anything more to read."""
        if not (self.worker.idle and self.producers.idle and self.log.quiet):
            return False
        ended = len(self.told_so_far.runs(RunCompleted)) + len(self.told_so_far.runs(RunFailed))
        return 0 < len(self.told_so_far.runs(RunStarted)) == ended

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached():
                await asyncio.sleep(LOOK_SECONDS)

    # --- people ---

    def _request(self, kind: RunKind, customer: str | None = None) -> str:
        self.asked += 1
        run = f"{ORG}:{kind}:{self.asked}"
        self._ask(RunRequested(run, kind, "somebody", customer))
        return run

    def _ask(self, body: ChangeSettings | RunRequested) -> None:
        at = int(self.clock.wall() * 1000)
        value = RUNS.encode(body, org=ORG, at=at, source="people")
        self.log.append(Output(topics.RUNS.name, ORG.encode(), value))

    def _settings(self, rules: Rules) -> OrgSettings:
        rate, multiplier = rules.get("pointsPerDollar", "1"), rules.get("equityMultiplier", "1.2")
        return OrgSettings(
            accruals=(Accrual(Decimal(rate), Decimal(multiplier)),),
            rounding=RoundingMode(rules.get("rounding", "half_up")),
            rounding_per=RoundingPer(rules.get("roundPer", "total")),
            basis=Basis(rules.get("basis", "total")),
            tolerance=Tolerance(Decimal(rules.get("tolerancePercent", "10"))),
            compare=Compare(rules.get("compare", "raw")),
            mode=Mode.LIVE,
            settle_seconds=SETTLE_SECONDS,
            equity_customers=tuple(str(customer) for customer in sorted(self.world.equity_override)),
        )

    def _begin(self, accident) -> None:  # type: ignore[no-untyped-def]
        task = asyncio.create_task(accident)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _summed_up(self) -> Summary:
        summary, told = self.summary, self.told_so_far
        summary.units = self.worker.steps
        summary.deaths += self.worker.deaths
        summary.failed_runs = len(told.runs(RunFailed))
        summary.runs = len(told.runs(RunCompleted)) + summary.failed_runs
        summary.seconds = asyncio.get_running_loop().time()
        return summary
