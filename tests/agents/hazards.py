"""A busy shop with worse luck: rows that slip from a sweep, people who are erased or enrol twice, redemptions at any
moment, and people who work on cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stream.contracts.cases import Case
from stream.contracts.facts import (
    AcceptDifference,
    AcknowledgeCase,
    CustomerErased,
    NoteCase,
    ResolveCase,
    SilenceCase,
)
from stream.contracts.identities import IDENTITIES, MovementObserved
from stream.contracts.names import identity_key
from stream.contracts.settings import SETTINGS, Compare, Mode
from stream.engine.ports import Output
from tests.agents.builders import DAY, ORG, Member, settings
from tests.agents.bustle import Bustle


@dataclass
class Hazards(Bustle):
    """`slipping`: members that sweeps do not find at the moment. `moved`: contact → (id, points, when)."""

    slipping: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    moved: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)

    async def unlucky_run(self) -> set[str]:
        """Everybody buys something, of which the provider has not heard; then a sweep finds only some of the members.
        Returns the contacts of the others."""
        for customer in self.customers:
            self._sell(customer, created_at=self.shop.now)
        slipped = self.slipping = {contact for contact in self.members if self.random.random() < 0.5}
        await self.quiet_run()
        self.slipping = set()
        return slipped

    def look_again(self) -> None:
        """The point of sale says once more what it knows of everybody, and who was erased."""
        for customer, held in self.customers.items():
            if customer in self.erased:
                self.shop.tell(customer, CustomerErased(self.shop.tick(), "owner"))
            self.shop.observe_customer(customer, *held)

    # --- producers ---

    def _swept(self, run: str) -> list[Output]:
        """Movements are listed while rows are read, before the sweep is complete."""
        records = self.shop.sweep_records(run, self._shuffled())
        marks = -self.shop.partitions - 1
        moved = [record for member in self.members.values() for record in self._moved_records(member)]
        return [*records[:marks], *moved, *records[marks:]]

    def _shuffled(self) -> list[Member]:
        return [member for member in super()._shuffled() if member.contact not in self.slipping]

    def _answered(self, member: Member, run: str, customer: str) -> list[Output]:
        return [*self._moved_records(member), *super()._answered(member, run, customer)]

    def _moved_records(self, member: Member) -> list[Output]:
        return [
            Output("identities", identity_key(ORG, identity), IDENTITIES.encode(
                MovementObserved(identity, member.contact, number, "redemption", points, at),
                org=ORG, at=self.shop.now, source="alpine_iq"))
            for number, points, at in self.moved.get(member.contact, ())
            for identity in member.identities
        ]  # fmt: skip

    # --- the world ---

    def _identify(self, customer: str, held: tuple[str, ...]) -> None:
        super()._identify(customer, held)
        if customer in self.erased:
            self.customers[customer] = ()

    def _change(self) -> None:
        hazards: tuple[Callable[[str], None], ...] = (
            self._slip, self._redeem, self._redeem, self._enrol_twice, self._erase, self._work_on_case, self._choose,
        )  # fmt: skip
        if self.random.random() < 0.5:
            super()._change()
        else:
            self.random.choice(hazards)(self.random.choice(list(self.customers)))

    def _slip(self, customer: str) -> None:
        self.slipping = {contact for contact in self.members if contact.endswith(customer)}

    def _redeem(self, customer: str) -> None:
        """Off the balance, and listed with the next sweep."""
        contact = self.random.choice((f"m-{customer}", f"twice-{customer}"))
        member = self.members.get(contact)
        if member is None or member.points is None:
            return
        points, at = -self.random.choice((10, 50, 200)), self.shop.tick()
        self.moved.setdefault(contact, []).append((f"r{at}", points, at))
        self.members[contact] = Member(contact, member.identities, member.points + points)

    def _enrol_twice(self, customer: str) -> None:
        held = self.customers[customer]
        if held:
            contact = f"twice-{customer}"
            self.members[contact] = Member(contact, (self.random.choice(held),), self.random.choice((0, 100)))

    def _erase(self, customer: str) -> None:
        if self.random.random() < 0.3:
            self.erased.add(customer)
            self.customers[customer] = ()
            self.shop.tell(customer, CustomerErased(self.shop.tick(), "owner"))

    def _work_on_case(self, customer: str) -> None:
        case = self._newest_case(customer)
        if case is None:
            return
        until = self.shop.now + self.random.choice((0, 1, 10)) * DAY
        self.shop.tell(
            customer,
            self.random.choice((
                AcknowledgeCase(case.id, "ann"),
                AcceptDifference(case.id, "ann", case.difference, "goodwill"),
                AcceptDifference(case.id, "ann", case.difference, "goodwill", until),
                SilenceCase(case.id, "ann", until),
                NoteCase(case.id, "ann", "called"),
                ResolveCase(case.id, "ann", "told the provider"),
            )),
        )  # fmt: skip

    def _choose(self, customer: str) -> None:
        self.shop.change_settings(settings(mode=Mode.LIVE, compare=self.random.choice(list(Compare))))

    def _newest_case(self, customer: str) -> Case | None:
        cases = [case for case in self.shop.cases().values() if case.id.split(":")[1] == customer]
        return max(cases, key=lambda case: case.number, default=None)

    # --- what must be, worked out by itself ---

    def _ours(self, customer: str, contact: str) -> int:
        in_force = max(self.shop.events(SETTINGS, "settings"), key=lambda event: event.data.version).data.settings
        moved = self.moved.get(contact, ()) if in_force.compare is Compare.EXPECTED else ()
        return self.expected_points()[customer] + sum(points for _, points, _ in moved)

    def _accepted(self, customer: str) -> int:
        case = self._newest_case(customer)
        accepted = case.accepted if case is not None else None
        return 0 if accepted is None or (accepted.until or 10**15) < self.shop.now else accepted.points
