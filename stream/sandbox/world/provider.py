"""The provider's side of a new world: who is a member, linked how, with which balance."""

from __future__ import annotations

from random import Random

from stream.sandbox.oracle import points_now
from stream.sandbox.world import people
from stream.sandbox.world.model import DAY_MS, Customer, Member, Movement, World

SAMPLE_PHONE = "5551234567"
SAMPLE_BALANCE = 475
_LINKS = ("code", "code", "code", "code", "code", "code", "phone", "phone", "phone", "email")
_CAUSES = ("redemption", "adjustment", "late_enrolment", "expiry", "boost")


class Directory:
    """Hands out phones, e-mail addresses and contact ids, each once."""

    def __init__(self, rng: Random, first_phone: int = 0, first_contact: int = 40_000_000) -> None:
        self._next = first_phone
        self._contact = first_contact + rng.randrange(1_000_000)
        self._step = rng.randrange(3, 40)

    def phone(self) -> str:
        self._next += 1
        return people.phone(self._next)

    def email(self, first: str, last: str) -> str:
        self._next += 1
        return people.email(first, last, self._next)

    def contact_id(self) -> str:
        self._contact += self._step
        return str(self._contact)


def add_members(world: World, rng: Random, directory: Directory, discrepant: list[int]) -> None:
    """Members of the given size: `discrepant` ones are off by 20 % or more, all others agree within 6 %."""
    size = world.options.size
    fixed = {world.sample_customer_id, world.sample_member_id, *discrepant}
    rest = rng.sample([key for key in world.customers if key not in fixed], size.members - len(discrepant) - 1)
    sample = world.customers[world.sample_member_id]
    _link_sample(sample, enrol(world, sample, rng, directory, "code"))
    for customer_id in [*discrepant, *rest]:
        member = enrol(world, world.customers[customer_id], rng, directory)
        ours = points_now(world, customer_id)
        if customer_id in discrepant:
            disagree(member, ours, _CAUSES[discrepant.index(customer_id) % len(_CAUSES)], world.now_ms)
        else:
            member.points = agreeing(ours, rng)
    _scatter_contacts(world, rng, directory)
    for _ in range(size.strangers):
        add_stranger(world, rng, directory)


def enrol(world: World, customer: Customer, rng: Random, directory: Directory, link: str | None = None) -> Member:
    """Make a member of a customer, linked by code, phone or e-mail; balance 0."""
    first, last = customer.name_first, customer.name_last
    member = Member(directory.contact_id(), first, last, 0, world.now_ms - rng.randrange(30, 900) * DAY_MS)
    link = link or rng.choice(_LINKS)
    if link == "code":
        customer.alpine_user_code = member.contact_id
    if link == "phone" or rng.random() < 0.25:
        member.phone = directory.phone()
        if rng.random() < 0.9:
            customer.phone = member.phone
        else:
            customer.phone, customer.phone2 = directory.phone(), member.phone
    if link == "email" or rng.random() < 0.15:
        customer.email = member.email = directory.email(first, last)
    world.members[member.contact_id] = member
    return member


def agreeing(ours: int, rng: Random) -> int:
    """A balance within 6 % of ours, three times in ten exactly the same."""
    room = 0 if rng.random() < 0.3 else ours * 5 // 100
    return ours + rng.randint(-room, room)


def disagree(member: Member, ours: int, cause: str, now_ms: int) -> None:
    """Set a balance that is clearly off, with the movement that made it so where the provider would show one."""
    at_ms = now_ms - 30 * DAY_MS
    if ours == 0:
        cause = "adjustment"
    match cause:
        case "redemption":
            member.movements.append(Movement("redemption", -(ours - ours * 6 // 10), at_ms, "reward redeemed"))
        case "adjustment":
            member.movements.append(Movement("adjustment", max(50, ours // 2), at_ms, "goodwill"))
        case "expiry":
            member.movements.append(Movement("expiry", -ours, at_ms, "points expired"))
        case _:
            member.points = ours * 6 // 10 if cause == "late_enrolment" else ours * 2 + 20
            return
    member.points = ours + member.movements[-1].points


def add_stranger(world: World, rng: Random, directory: Directory) -> Member:
    """A member whom the point of sale does not know."""
    first, last = people.name(rng)
    inserted_ms = world.now_ms - rng.randrange(30, 900) * DAY_MS
    member = Member(directory.contact_id(), first, last, rng.randrange(0, 900), inserted_ms)
    member.phone = directory.phone()
    member.email = directory.email(first, last) if rng.random() < 0.5 else None
    world.members[member.contact_id] = member
    return member


def _link_sample(customer: Customer, member: Member) -> None:
    """The brief's sample member: 475 points against 450, found by code and by +15551234567."""
    customer.alpine_user_code = member.contact_id
    customer.phone = member.phone = SAMPLE_PHONE
    customer.phone2 = None
    member.points = SAMPLE_BALANCE


def _scatter_contacts(world: World, rng: Random, directory: Directory) -> None:
    """Contact data is sparse: a few customers who are no members have some, all others have none."""
    bare = [each for each in world.customers.values() if not (each.alpine_user_code or each.phone or each.email)]
    for customer in rng.sample(bare, len(bare) // 25):
        if rng.random() < 0.7:
            customer.phone = directory.phone()
        else:
            customer.email = directory.email(customer.name_first, customer.name_last)
