"""`loyalty mcp`: the agent tool over the views, on stdin and stdout or over HTTP. It needs no Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable
from typing import cast

import structlog
from anyio import AsyncFile
from mcp.server.stdio import stdio_server

from stream.bootstrap.browsing import views_at
from stream.bootstrap.deciding import now_ms
from stream.bootstrap.library import regions_of
from stream.bootstrap.opening import local_key_path, require_access
from stream.bootstrap.places import folder_of, kafka_of
from stream.bootstrap.serving import http
from stream.engine.ports import Output
from stream.errors import LoyaltyError
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.web.access.authenticator import Authenticator
from stream.web.access.keys import local_key
from stream.web.agent_tool import PATH, for_whoever_runs_it, over_http
from stream.web.agent_tool import agent_tool as server_of
from stream.web.service import LoyaltySync

log = structlog.get_logger(__name__)

LONGEST_LINE_BYTES = 1 << 20


async def agent_tool(configuration: Configuration) -> None:
    """Serve on stdin and stdout until the client closes them."""
    with views_at(configuration) as views:
        views.orgs()  # no views: say so now, not with the first question
        server = server_of(_service(configuration, views), for_whoever_runs_it)._mcp_server
        async with _stdin() as lines, stdio_server(lines) as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


async def agent_tool_http(configuration: Configuration, *, host: str, port: int) -> None:
    """Serve over HTTP until cancelled. Whoever calls needs an API key, or the local one."""
    web = configuration.web.model_copy(update={"host": host, "port": port})
    folder = folder_of(configuration)
    with views_at(configuration) as views:
        views.orgs()
        if not web.key:
            await require_access(web, kafka_of(configuration), configuration.kafka.prefix)
        authenticator = Authenticator(
            views,
            None,
            clock=now_ms,
            local_key=local_key(local_key_path(folder)),
            configured_key=web.key.get_secret_value() if web.key else None,
        )
        service = _service(configuration, views)
        async with (
            over_http(service, authenticator, calls_a_minute=web.calls_a_minute) as app,
            http(app, host, port) as address,
        ):
            folder.publish(mcp=address + PATH)
            log.info("agent tool ready", address=address + PATH)
            await asyncio.Event().wait()


def _service(configuration: Configuration, views: Views) -> LoyaltySync:
    return LoyaltySync(views, _NobodyPublishes(), regions=regions_of(configuration), clock=now_ms)


class _NobodyPublishes:
    """The tools only look."""

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Refuses."""
        raise LoyaltyError("the agent tool publishes nothing")

    async def publish_everywhere(self, output: Output) -> None:
        """Refuses."""
        raise LoyaltyError("the agent tool publishes nothing")


@contextlib.asynccontextmanager
async def _stdin() -> AsyncIterator[AsyncFile[str] | None]:
    """Lines of stdin, read so that Ctrl-C ends the waiting. None, which is the SDK's own way, for a file."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
        )
    except (ValueError, OSError):
        yield None
        return
    try:
        # The SDK asks no more of it than to give one line after the other.
        yield cast(AsyncFile[str], _lines(reader))
    finally:
        transport.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    while line := await reader.readline():
        yield line.decode(errors="replace")
