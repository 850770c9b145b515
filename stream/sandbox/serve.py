"""Run both simulated vendors: inside a process (`running`), or as one of their own.

    python -m stream.sandbox.serve --seed 7 [--hostile] [--alleaves-latency 1.3] [--alpine-latency 0.3]

prints one line of JSON with addresses and credentials, and serves until SIGTERM or SIGINT. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stream.sandbox.alleaves import Alleaves, AlleavesCredentials, Tokens
from stream.sandbox.alpine_iq import AlpineIQ, AlpineIQCredentials
from stream.sandbox.control import Control, about
from stream.sandbox.failures import HOSTILE_RATES, Conditions, Failure, Injector
from stream.sandbox.wire import Clock, Wire
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import World
from stream.sandbox.world.options import WorldSize
from stream.sandbox.world.rows import Row, encode
from stream.sandbox.world.trade import Trade

ALLEAVES_SKEW_MS = 95_000
ALPINE_IQ_SKEW_MS = -40_000


def system_clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Both vendors, running. `*_url` are API bases, `*_root` lead to the `/sandbox/` endpoints."""

    world: World
    trade: Trade
    alleaves: Wire
    alpine_iq: Wire
    alleaves_root: str
    alpine_root: str
    alleaves_credentials: AlleavesCredentials = field(default_factory=AlleavesCredentials)
    alpine_credentials: AlpineIQCredentials = field(default_factory=AlpineIQCredentials)

    @property
    def alleaves_url(self) -> str:
        return f"{self.alleaves_root}/api"

    @property
    def alpine_url(self) -> str:
        return f"{self.alpine_root}/api"

    def as_dict(self) -> Row:
        shop, provider = self.alleaves_credentials, self.alpine_credentials
        access = {"username": shop.username, "password": shop.password, "pin": shop.pin}
        return {
            "alleaves": {"base_url": self.alleaves_url, "root": self.alleaves_root, **access},
            "alpine_iq": {
                "base_url": self.alpine_url,
                "root": self.alpine_root,
                "uid": provider.uid,
                "api_key": provider.api_key,
            },
            "world": about(self.world),
        }


@contextlib.asynccontextmanager
async def running(
    world: World,
    *,
    alleaves: Conditions | None = None,
    alpine_iq: Conditions | None = None,
    clock: Clock = system_clock,
    alleaves_port: int = 0,
    alpine_port: int = 0,
) -> AsyncIterator[Sandbox]:
    """Serve a world on two loopback ports (0: free ones) until the block ends."""
    trade = Trade(world)
    hostile = world.options.hostility is not None
    shop = alleaves_app(world, trade, clock, alleaves or default_conditions(hostile, ALLEAVES_SKEW_MS))
    provider = alpine_iq_app(world, trade, clock, alpine_iq or default_conditions(hostile, ALPINE_IQ_SKEW_MS))
    async with _served((shop, alleaves_port), (provider, alpine_port)) as (shop_root, provider_root):
        yield Sandbox(world, trade, shop, provider, shop_root, provider_root)


def default_conditions(hostile: bool, skew_ms: int = 0) -> Conditions:
    return Conditions(rates=dict(HOSTILE_RATES), clock_skew_ms=skew_ms, slow_ms=500) if hostile else Conditions()


def alleaves_app(world: World, trade: Trade, clock: Clock, conditions: Conditions) -> Wire:
    """The point of sale behind its wire."""
    tokens = Tokens(world.seed)
    injector = Injector(world.seed, "alleaves", frozenset(Failure) - {Failure.REFUSED})
    wire = Wire(conditions, injector, clock, "message", tokens.revoke)
    routes = Alleaves(world, AlleavesCredentials(), tokens, wire).routes() + Control(world, trade, wire).routes()
    wire.app = _app(routes, _message)
    return wire


def alpine_iq_app(world: World, trade: Trade, clock: Clock, conditions: Conditions) -> Wire:
    """The loyalty provider behind its wire."""
    injector = Injector(world.seed, "alpine_iq", frozenset(Failure) - {Failure.UNAUTHORIZED})
    wire = Wire(conditions, injector, clock, "errors")
    routes = AlpineIQ(world, AlpineIQCredentials(), wire).routes() + Control(world, trade, wire).routes()
    wire.app = _app(routes, _envelope)
    return wire


class _QuietServer(uvicorn.Server):
    """Leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def _served(*apps: tuple[ASGIApp, int]) -> AsyncIterator[list[str]]:
    """Serve each app on its port and give their addresses; all stop at the same time."""
    listeners = [_listener(port) for _, port in apps]
    servers = [_server(app) for app, _ in apps]
    serving = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    try:
        yield [f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving)


def _listener(port: int) -> socket.socket:
    """A loopback socket. Only with the protocol named does asyncio set TCP_NODELAY, worth 40 ms an answer."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _QuietServer(config)


def _app(routes: list[Route], answer: Callable[[Request, Exception], Awaitable[Response]]) -> Starlette:
    return Starlette(routes=routes, exception_handlers={HTTPException: answer})


async def _message(request: Request, error: Exception) -> Response:
    status, detail = _status(error)
    return Response(encode({"message": detail}), status, media_type="application/json")


async def _envelope(request: Request, error: Exception) -> Response:
    status, detail = _status(error)
    payload = {"success": False, "code": status, "errors": [{"message": detail}]}
    return Response(encode(payload), status, media_type="application/json")


def _status(error: Exception) -> tuple[int, str]:
    return (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "internal server error")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stream.sandbox.serve",
        description="Serve a simulated Alleaves and Alpine IQ with a year of a shop's trade.",
        epilog="example: python -m stream.sandbox.serve --seed 7 --alleaves-latency 1.3 --alpine-latency 0.3",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--hostile", action="store_true", help="malformed data, failures and wrong clocks")
    parser.add_argument("--orders", type=int, help="default 2689, or in proportion to --customers")
    parser.add_argument("--customers", type=int, help="default 1641, or in proportion to --orders")
    parser.add_argument("--now-ms", type=int, help="the end of the year of trade, UTC ms (default: now)")
    parser.add_argument("--alleaves-latency", type=float, default=0.0, help="seconds per call")
    parser.add_argument("--alpine-latency", type=float, default=0.0, help="seconds per call")
    parser.add_argument("--alleaves-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--alpine-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--ports-file", type=Path, help="also write the printed JSON here")
    return parser.parse_args()


async def _main(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    size = WorldSize.of(arguments.orders, arguments.customers)
    world = build_world(arguments.seed, arguments.now_ms or system_clock(), size=size, hostile=arguments.hostile)
    shop = default_conditions(arguments.hostile, ALLEAVES_SKEW_MS)
    provider = default_conditions(arguments.hostile, ALPINE_IQ_SKEW_MS)
    shop.latency_ms = round(arguments.alleaves_latency * 1000)
    provider.latency_ms = round(arguments.alpine_latency * 1000)
    ports = {"alleaves_port": arguments.alleaves_port, "alpine_port": arguments.alpine_port}
    async with running(world, alleaves=shop, alpine_iq=provider, **ports) as sandbox:
        printed = msgspec.json.encode(sandbox.as_dict()).decode()
        if arguments.ports_file:
            _write(arguments.ports_file, printed)
        sys.stdout.write(printed + "\n")
        sys.stdout.flush()
        await stop.wait()


def _write(path: Path, text: str) -> None:
    """In one step, so that a reader who waits for the file never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
