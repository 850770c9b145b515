"""Build a world from a seed. The same seed, time and options give the same world, whatever the machine."""

from __future__ import annotations

from random import Random

from stream.sandbox.world.hostile import add_hostility
from stream.sandbox.world.model import World
from stream.sandbox.world.movements import add_movements
from stream.sandbox.world.options import Hostility, Listing, WorldOptions, WorldSize
from stream.sandbox.world.provider import Directory, add_members
from stream.sandbox.world.shop import LOCATIONS, add_customers, add_orders

HOSTILE_LISTING = Listing(end_inclusive=False, utc_offset_hours=-7, repeat_every=3)


def build_world(
    seed: int,
    now_ms: int,
    *,
    size: WorldSize | None = None,
    hostile: bool = False,
    options: WorldOptions | None = None,
) -> World:
    """A year of trade before `now_ms` (UTC milliseconds). `options`, when given, says everything else."""
    if options is None:
        options = WorldOptions(
            size=size or WorldSize(),
            listing=HOSTILE_LISTING if hostile else Listing(),
            hostility=Hostility() if hostile else None,
        )
    world = World(seed, now_ms, options)
    world.locations.extend(LOCATIONS)
    rng = Random(f"world:{seed}")
    directory = Directory(rng)
    add_customers(world, rng)
    special = (world.sample_customer_id, world.sample_member_id)
    ordinary = [key for key in world.customers if key not in special]
    discrepant = rng.sample(ordinary, options.size.discrepancies)
    add_orders(world, rng, discrepant)
    add_members(world, rng, directory, discrepant)
    if options.movements:
        add_movements(world, Random(f"movements:{seed}"))
    if options.hostility is not None:
        add_hostility(world, options.hostility, Random(f"hostile:{seed}"), directory)
    return world
