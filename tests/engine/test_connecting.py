"""Opening a Kafka client can be given up at any moment without leaving a connection open."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from stream.engine.connecting import Client, connect

STEPS = 16


async def start(client: Client) -> None:
    await client.start()


async def left_open(kafka: str, opened: Callable[[Client], Awaitable[None]]) -> list[Any]:
    """What is found open after an opening was cancelled a little later each time, and its client closed."""
    found: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["message"]))
    for step in range(STEPS):
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
        opening = asyncio.ensure_future(opened(consumer))
        await asyncio.wait([opening], timeout=step / 2_000)
        opening.cancel()
        await asyncio.wait([opening])
        await consumer.stop()
        del consumer, opening
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return found


async def test_an_opening_that_is_cancelled_leaves_nothing_open(kafka: str) -> None:
    assert await left_open(kafka, connect) == []


async def test_cancelled_without_that_care_it_would(kafka: str) -> None:
    for _ in range(10):  # the moment is short, and may be missed
        if await left_open(kafka, start):
            return
    pytest.fail("nothing was left open: is the care still needed?")


async def test_what_goes_wrong_while_opening_is_told() -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Exception, match="Unable to bootstrap"):
        await connect(consumer)
    await consumer.stop()
