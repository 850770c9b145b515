"""Readiness tells whether Kafka answers now."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from stream.bootstrap import reaching
from stream.bootstrap.reaching import watch_kafka
from stream.ops.health import Condition, Health, Role


async def test_a_kafka_that_goes_away_is_said_and_so_is_its_return(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PATIENCE_MS", 300)
    health = Health(Role.POLL, time.monotonic)
    for condition in (Condition.KAFKA, Condition.SETTINGS, Condition.POINT_OF_SALE):
        health.say(condition, True)
    async with asyncio.timeout(20):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
            silence = f"127.0.0.1:{silent.getsockname()[1]}"
            await _watched(silence, health, until=False)
        assert health.ready().reasons["kafka"].startswith(f"{silence} does not answer: ")
        await _watched(kafka, health, until=True)
    assert health.ready().reasons["kafka"] == "ok"


async def _watched(bootstrap: str, health: Health, *, until: bool) -> None:
    watching = asyncio.create_task(watch_kafka(bootstrap, health, every_seconds=0.01))
    while health.ready().ok is not until:
        await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.wait([watching])
