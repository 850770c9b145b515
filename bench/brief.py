"""The first full sync, with vendors as slow as they are: 1.3 s per Alleaves page, 0.3 s per Alpine IQ call.

2,689 orders and 1,641 customers, within the default budgets. Timed from the first call to a vendor until the
run's verdicts are in the views, and from the start of the polling process.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from stream.bootstrap.demo import first_run, shop
from stream.bootstrap.places import DataFolder
from stream.ops.progress import silent
from stream.sandbox.failures import Conditions
from stream.sandbox.world.build import build_world

ALLEAVES_MS = 1300
ALPINE_IQ_MS = 300


async def measure(_: int) -> dict[str, object]:
    """One first sync."""
    world = build_world(7, int(time.time() * 1000))
    with tempfile.TemporaryDirectory() as folder:
        async with shop(
            DataFolder(Path(folder)),
            world,
            silent,
            alleaves=Conditions(latency_ms=ALLEAVES_MS),
            alpine_iq=Conditions(latency_ms=ALPINE_IQ_MS),
            with_firestore=False,
        ) as running:
            result = await first_run(running, 0, silent)
            first_call = running.sandbox.alleaves.traffic.first_at
            assert first_call is not None
            since_process = result.phases["firstSync"]
            since_call = running.tree.started_at + since_process - first_call
            shop_calls = running.sandbox.alleaves.traffic.as_dict()
            provider_calls = running.sandbox.alpine_iq.traffic.as_dict()
    return {
        "first sync, s from the first call": round(since_call, 2),
        "first sync, s from the start of the process": since_process,
        "figures": {key: value for key, value in result.figures.items() if key != "lastSyncAt"},
        "profiles that differ from the oracle": len(result.wrong),
        "Alleaves calls in the walk": result.calls["alleaves"],
        "Alleaves calls in all": shop_calls["total"],
        "Alleaves calls at once, at most": shop_calls["in_flight_peak"],
        "Alleaves calls in a second, at most": shop_calls["peak_per_second"],
        "Alpine IQ calls": provider_calls["total"],
    }
