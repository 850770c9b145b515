"""The complete walk against a simulated point of sale, kind and hostile."""

from __future__ import annotations

from collections import defaultdict

import pytest

from producers.alleaves import plan as plans
from producers.alleaves import records
from producers.alleaves.sweep import SOURCE, Progress
from producers.http import Clock
from stream.contracts import topics
from stream.contracts.cursors import Cursor
from stream.contracts.facts import (
    FACTS,
    CustomerObserved,
    OrderObserved,
    OrdersSnapshot,
    OrdersSwept,
    OrderUnreadable,
)
from stream.contracts.people import Person
from stream.errors import Unreachable
from stream.loyalty.order import counted
from stream.loyalty.rules import Rules
from stream.sandbox.failures import HOSTILE_RATES, Conditions, Failure
from stream.sandbox.oracle import expected
from stream.sandbox.serve import system_clock
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import Defect, OrderState
from stream.sandbox.world.options import WorldSize
from tests.producers.alleaves.shop import ORG, Shop, open_shop, small_world
from tests.producers.hand_clock import HandClock
from tests.producers.recording import RecordingPublisher

RUN = "shop:daily:2026-01-30"


def spend_by_customer(publisher: RecordingPublisher) -> dict[int, int]:
    """What the published orders add up to, under the default rules."""
    from stream.contracts.settings import OrgSettings

    rules, spend = Rules.of(OrgSettings()), dict[int, int](defaultdict(int))
    latest = {(event.data.order): event for event in publisher.events(OrderObserved)}
    for event in latest.values():
        minor, _ = counted(event.data, rules)
        spend[int(event.customer)] = spend.get(int(event.customer), 0) + minor
    return spend
