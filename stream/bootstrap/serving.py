"""What roles stand on: a Kafka with its topics, and an HTTP server that leaves signals to whoever runs it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import structlog
import uvicorn
from starlette.types import ASGIApp

from stream.bootstrap.places import DataFolder
from stream.engine.topics_admin import apply_topics, check_topics
from stream.errors import ConfigurationError, Unreachable
from stream.ops.progress import Progress
from stream.sandbox.kafka import EmbeddedKafka
from stream.settings import KafkaSettings

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def kafka(settings: KafkaSettings, folder: DataFolder, progress: Progress) -> AsyncIterator[str]:
    """The broker's address: the configured one, or an embedded broker over the data folder while the block runs."""
    if settings.bootstrap is not None:
        await apply_topics(settings.bootstrap, settings.prefix, settings.partitions, settings.replicas)
        yield settings.bootstrap
        return
    progress("starting Apache Kafka", 0, 1)
    async with EmbeddedKafka(folder.root) as broker:
        await apply_topics(broker.bootstrap, settings.prefix, settings.partitions, settings.replicas)
        progress("starting Apache Kafka", 1, 1)
        keeping = asyncio.create_task(broker.keep())
        try:
            yield broker.bootstrap
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


async def require_topics(bootstrap: str, settings: KafkaSettings) -> None:
    """Refuse to start on topics that are missing or cut differently: keys would be in the wrong partition."""
    problems = [p for p in await check_topics(bootstrap, settings.prefix, settings.partitions) if not p.correctable]
    if problems:
        raise ConfigurationError(
            f"topics of {bootstrap} do not fit: {'; '.join(map(str, problems))}. See `loyalty topics check`."
        )


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def http(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve an application while the block runs; gives its address. Port 0: any free one."""
    listener = _listener(host, port)
    address = f"http://{host}:{listener.getsockname()[1]}"
    server = _QuietServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield address
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(5):
                await serving
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio turns Nagle off only where the protocol is named
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unreachable(f"cannot listen on {host}:{port}: {error.strerror}. Set another port.") from error
    return listener
