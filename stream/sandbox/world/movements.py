"""Members who redeem: what a comparison of balances with orders alone gets wrong."""

from __future__ import annotations

from random import Random

from stream.sandbox.oracle import points_now
from stream.sandbox.world.model import DAY_MS, Member, Movement, World

_STORIES = ("redeemed", "redeemed twice", "redeemed and expired", "adjusted", "not taken off")
_LEAST_POINTS = 40
"""Of fewer nobody redeems, and a difference of a few points is a large part of them."""


def add_movements(world: World, rng: Random) -> None:
    """Every third member who agrees has moved points, far more than the tolerance.

    Four stories of five take them off the balance: orders alone disagree with it, orders and movements agree. In the
    fifth the provider lists a redemption and leaves the balance as it was: the other way round.
    """
    agreeing = [(member, ours) for member, ours in _members(world) if not member.movements and _near(member, ours)]
    for rank, (member, ours) in enumerate(agreeing[::3]):
        _move(member, ours, _STORIES[rank % len(_STORIES)], world.now_ms - rng.randrange(10, 300) * DAY_MS)


def _move(member: Member, ours: int, story: str, at_ms: int) -> None:
    third = ours // 3
    match story:
        case "redeemed twice":
            moved = [Movement("redemption", -(third // 2 + 1), at_ms, "reward redeemed") for _ in range(2)]
        case "redeemed and expired":
            moved = [
                Movement("redemption", -(ours // 4), at_ms, "reward redeemed"),
                Movement("expiry", -(ours // 8), at_ms + 5 * DAY_MS, "points expired"),
            ]
        case "adjusted":
            moved = [Movement("adjustment", ours, at_ms, "goodwill")]
        case _:
            moved = [Movement("redemption", -third, at_ms, "reward redeemed")]
    member.movements.extend(moved)
    if story != "not taken off":
        member.points += sum(movement.points for movement in moved)


def _members(world: World) -> list[tuple[Member, int]]:
    """Members of whom it is clear whose they are, with the points that the orders earn."""
    by_code = {each.alpine_user_code: each for each in world.customers.values() if each.alpine_user_code}
    by_phone = {each.phone2 or each.phone: each for each in world.customers.values() if each.phone}
    by_email = {each.email: each for each in world.customers.values() if each.email}
    found = []
    for member in world.members.values():
        reached = by_phone.get(member.phone or "") or by_email.get(member.email or "")
        customer = by_code.get(member.contact_id) or reached
        if customer is not None and customer.customer_id != world.sample_member_id:
            found.append((member, points_now(world, customer.customer_id)))
    return found


def _near(member: Member, ours: int) -> bool:
    return ours >= _LEAST_POINTS and abs(member.points - ours) * 100 <= 6 * member.points
