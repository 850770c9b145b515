"""Whether Kafka answers, asked again and again: what a role said of it at its start is old news an hour later."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from stream.engine.connecting import connect
from stream.ops.health import Condition, Health

log = structlog.get_logger(__name__)

ASK_SECONDS = 5.0
PATIENCE_MS = 5_000
"""How long a broker may take to answer."""


async def watch_kafka(bootstrap: str, health: Health, every_seconds: float = ASK_SECONDS) -> None:
    """Tell `health` for ever whether a broker answers. Logs each change once."""
    known = True
    while True:
        await asyncio.sleep(every_seconds)
        trouble = await _trouble(bootstrap)
        health.say(Condition.KAFKA, trouble is None, trouble or "")
        if known and trouble is not None:
            log.warning("kafka does not answer", reason=trouble)
        elif not known and trouble is None:
            log.info("kafka answers again")
        known = trouble is None


async def _trouble(bootstrap: str) -> str | None:
    """Why no broker answers; None when one does."""
    opening = _Opening(bootstrap)
    try:
        await connect(opening)
    except (KafkaError, OSError) as error:
        return f"{bootstrap} does not answer: {error or type(error).__name__}"
    finally:
        await opening.client.close()
    return None


class _Opening:
    """Asking a broker for the cluster, and nothing else."""

    def __init__(self, bootstrap: str) -> None:
        self.client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=PATIENCE_MS)

    async def start(self) -> None:
        """See `connect`."""
        await self.client.bootstrap()
