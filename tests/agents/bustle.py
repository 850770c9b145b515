"""A busy shop: producers, people and agents take turns at random, workers die, and everything is repeated late."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from stream.contracts.commands import COMMANDS, LookUpBalance, SweepBalances, SweepOrders
from stream.contracts.facts import LookUpEmpty, LookUpFailed, OrderReassigned
from stream.contracts.runs import RunKind
from stream.contracts.settings import Mode
from stream.engine.ports import Output
from tests.agents.builders import DAY, Member, Shop, fact, settings

PARTITIONS = 3
AGENTS = ("accounts", "contacts", "runs")


class Death(Exception):
    """The worker is gone, as with SIGKILL."""


@dataclass
class Bustle:
    """`customers`: customer → identities as the point of sale has them. `members`: contact → member."""

    random: Random
    deaths: bool = False
    changes: bool = False
    customers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    waiting: dict[str, list[Output]] = field(default_factory=lambda: {"pos": [], "provider": []})
    published: list[Output] = field(default_factory=list)
    obeyed: int = 0
    orders: int = 0
    steps_to_live: int = -1

    async def open(self) -> None:
        draw = self.random
        self.shop = Shop(PARTITIONS, fetch_size=lambda: draw.choice((1, 1, 2, 5, 50)), step=self._step)
        await self.shop.open()
        for n in range(8):
            self._new_customer(f"c{n}")

    async def turns(self, steps: int) -> None:
        """Random turns."""
        for _ in range(steps):
            await self._turn()

    async def bustle(self, steps: int) -> None:
        """Random turns; then everybody finishes what was begun."""
        await self.turns(steps)
        self.steps_to_live, self.deaths = -1, False
        await self.finish()

    async def finish(self) -> None:
        """Until nobody has anything to do."""
        while True:
            await self._safely(self.shop.settle())
            self._obey()
            if not any(self.waiting.values()):
                return
            for name in self.waiting:
                self._publish(name, len(self.waiting[name]))

    async def quiet_run(self) -> str:
        """A daily run with nothing else going on, after every settle window."""
        self.shop.now += 2 * DAY
        run = self.shop.request()
        await self.finish()
        return run

    async def begin_again(self, *, keep_stores: bool) -> None:
        """All processes start anew; what producers had not published is forgotten."""
        self.waiting = {name: [] for name in self.waiting}
        await self.shop.restart(keep_stores=keep_stores)

    async def _turn(self) -> None:
        draw = self.random
        if self.deaths and self.steps_to_live < 0 and draw.random() < 0.02:
            self.steps_to_live = draw.randrange(12)
        choice = draw.random()
        if choice < 0.55:
            agent, partition = draw.choice(AGENTS), draw.randrange(PARTITIONS)
            await self._safely(self.shop.worker.step_one(agent, partition))
        elif choice < 0.85:
            self._obey()
            name = draw.choice(list(self.waiting))
            self._publish(name, draw.choice((1, 2, 8)))
        elif choice < 0.88 and self.published:
            self.shop.publish([draw.choice(self.published)])  # late, and once more
        elif self.changes:
            self._change()

    async def _safely(self, work) -> None:  # type: ignore[no-untyped-def]  # any coroutine or records
        try:
            await work
        except Death:
            self.steps_to_live = -1
            await self.shop.restart(keep_stores=self.random.random() < 0.5)

    def _step(self, step: str) -> None:
        if self.steps_to_live == 0:
            raise Death(step)
        self.steps_to_live -= self.steps_to_live > 0

    # --- producers ---

    def _obey(self) -> None:
        """Take the commands that came; a producer that is killed on the way begins the sweep again."""
        events = self.shop.events(COMMANDS, "commands")
        for event in events[self.obeyed :]:
            command = event.data
            if isinstance(command, SweepOrders):
                self._twice("pos", lambda run=command.run: self.shop.walk_records(run))
            elif isinstance(command, SweepBalances):
                self._twice("provider", lambda run=command.run: self._swept(run))
            elif isinstance(command, LookUpBalance):
                self.waiting["provider"] += self._looked_up(command.run, event.customer)
        self.obeyed = len(events)

    def _twice(self, name: str, records) -> None:  # type: ignore[no-untyped-def]  # any coroutine or records
        if self.random.random() < 0.3:
            begun = records()
            self.waiting[name] += begun[: self.random.randrange(len(begun) - 1)]
        self.waiting[name] += records()

    def _swept(self, run: str) -> list[Output]:
        return self.shop.sweep_records(run, self._shuffled())

    def _shuffled(self) -> list[Member]:
        members = list(self.members.values())
        self.random.shuffle(members)
        return members

    def _looked_up(self, run: str, customer: str) -> list[Output]:
        held, at = self.customers[customer], self.shop.tick()
        if self.random.random() < 0.2:
            return [fact(customer, LookUpFailed(run, at, "HTTP 503"), at)]
        for identity in held:
            for member in self.members.values():
                if identity in member.identities:
                    shared = tuple(each for each in member.identities if each in held)
                    return self._answered(Member(member.contact, shared, member.points), run, customer)
        return [fact(customer, LookUpEmpty(run, at), at)]

    def _answered(self, answer: Member, run: str, customer: str) -> list[Output]:
        return self.shop.row_records(answer, run, 0, customer)

    def _publish(self, name: str, count: int) -> None:
        ready, self.waiting[name] = self.waiting[name][:count], self.waiting[name][count:]
        self.published += [record for record in ready if record.topic == "facts" and record.partition is None]
        self.shop.publish(ready)

    # --- the world ---

    def _new_customer(self, customer: str) -> None:
        draw = self.random
        held = [f"{kind}:{customer}" for kind in ("code", "phone", "email") if draw.random() < 0.6]
        if draw.random() < 0.2:
            held.append("phone:shared")
        for _ in range(draw.randrange(1, 4)):
            self._sell(customer)
        self._identify(customer, tuple(held))
        if draw.random() < 0.75 and held:
            self._join(customer)

    def _sell(self, customer: str, **fields: object) -> None:
        self.orders += 1
        self.shop.observe_order(customer, f"o{self.orders}", self.random.choice((1_000, 5_000, 20_000)), **fields)

    def _identify(self, customer: str, held: tuple[str, ...]) -> None:
        self.customers[customer] = held
        self.shop.observe_customer(customer, *held)

    def _join(self, customer: str) -> None:
        """The customer is a member of the provider's, with any balance, under some of the identities."""
        draw = self.random
        held = self.customers[customer]
        spend = sum(seen.total_minor for owner, seen in self.shop.sold.values() if owner == customer)
        points = draw.choice((spend // 100, spend // 100, spend // 50, 0, None))
        identities = tuple(draw.sample(held, draw.randrange(1, len(held) + 1)))
        self.members[f"m-{customer}"] = Member(f"m-{customer}", identities, points)

    def _change(self) -> None:
        """Something happens in the shop, at the provider, or somebody asks for something."""
        draw = self.random
        customer = draw.choice(list(self.customers))
        choice = draw.randrange(9)
        if choice == 0:
            self._sell(customer)
        elif choice == 1 and self.shop.sold:
            self._move_order(customer)
        elif choice == 2 and self.shop.sold:
            del self.shop.sold[draw.choice(list(self.shop.sold))]
        elif choice == 3:
            other = draw.choice(list(self.customers))
            self._identify(customer, tuple(draw.sample(self.customers[other], len(self.customers[other]))))
        elif choice == 4 and self.customers[customer]:
            self._join(customer)
        elif choice == 5:
            self.members.pop(f"m-{customer}", None)
        elif choice == 6:
            self.shop.request(RunKind.CUSTOMER, customer=customer)
        elif choice == 7:
            self.shop.request(draw.choice((RunKind.DAILY, RunKind.BALANCES)))
        elif choice == 8:
            self.shop.change_settings(settings(mode=draw.choice(list(Mode))))

    def _move_order(self, customer: str) -> None:
        number = self.random.choice(list(self.shop.sold))
        former, _ = self.shop.sold[number]
        seen = self.shop.observe_order(customer, number, self.shop.sold[number][1].total_minor)
        if former != customer and self.random.random() < 0.7:  # else the poller missed it
            self.shop.publish([fact(former, OrderReassigned(number, customer, seen.observed_at), seen.observed_at)])

    # --- what must be, worked out by itself ---

    def expected_points(self) -> dict[str, int]:
        minor = dict.fromkeys(self.customers, 0)
        for customer, seen in self.shop.sold.values():
            minor[customer] += seen.total_minor
        return {customer: total // 100 for customer, total in minor.items()}

    def expected_verdicts(self) -> dict[str, str]:
        return {customer: self._expected(customer) for customer in self.customers}

    def _expected(self, customer: str) -> str:
        held = sorted(self.customers[customer], key=lambda each: ("code", "phone", "email").index(each.split(":")[0]))
        for identity in held:
            contacts = [member for member in self.members.values() if identity in member.identities]
            holders = [other for other, theirs in self.customers.items() if identity in theirs]
            if not contacts:
                continue
            if len(contacts) > 1 or len(holders) > 1:
                return "ambiguous"
            provider = contacts[0].points
            if provider is None:
                return "unknown"
            ours = self._ours(customer, contacts[0].contact)
            if _agree(ours, provider) or _agree(ours, provider - self._accepted(customer)):
                return "matched"
            orders = [number for number, (owner, _) in self.shop.sold.items() if owner == customer]
            return "discrepancy" if orders else "missing_internal"
        return "not_enrolled" if held else "unknown"

    def _ours(self, customer: str, contact: str) -> int:
        return self.expected_points()[customer]

    def _accepted(self, customer: str) -> int:
        """The difference that somebody accepted."""
        return 0


def _agree(ours: int, provider: int) -> bool:
    return abs(provider - ours) * 10 <= (abs(provider) or abs(provider - ours))
