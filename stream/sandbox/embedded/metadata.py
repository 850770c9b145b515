"""Whether a Kafka broker is ready: an open port is not enough, it must answer."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

REQUEST_MS = 2_000


async def answers_metadata(bootstrap: str) -> bool:
    """Whether the broker at `bootstrap` (host:port) answers a metadata request now."""
    host, _, port = bootstrap.rpartition(":")
    try:
        # Asked first because the client logs an error for every connection that is refused.
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_MS)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await client.close()
