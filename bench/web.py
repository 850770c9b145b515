"""How long pages and API calls take with 100,000 customers and 1,000,000 points entries in the views.

The views are written by their own writer; the web role's application answers over HTTP from a process of its own, one
request after the other, as on a quiet day. Each page, list and search is asked 30 times, for other customers and after
other cursors where there are such; the goal is a median of at most 100 ms. What goes over all customers, an export or
the preview of a change of settings, is shown beside, in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvloop

from bench.large_shop import CASES_EVERY, LARGE, NOW, ORG, REGULAR, Size, write_views
from stream.engine.ports import Output

REQUESTS = 30
GOAL_MS = 100
KEY = "k" * 43
API = f"/api/v1/orgs/{ORG}"

FILTERS = ("", "verdict=matched", "verdict=discrepancy&tier=Gold", "tier=Gold", "shop=1003", "tier=Bronze&shop=1011")
SEARCHES = ("q=ana", "q=e", "q=maria lopez", "q=zzz", "q=(555) 0{customer}", "q=maria.{customer}", "q={customer}")
BOTH = (
    *("q=ana&verdict=discrepancy", "q=e&tier=Platinum", "q=1555&case=open&shop=1003"),
    *("case=live", "case=acknowledged&shop=1003", "verdict=matched&case=live"),
)
"""The worst are those where many are looked at and none is found."""
PAGES = (
    "/password",
    *(
        "/login",
        "/",
        "/?shop=1003",
        "/lookup",
        "/lookup?q=maria",
        "/lookup?q={customer}",
        "/lookup?q=(555) 0{customer}",
    ),
    *(f"/customers?{query}" for query in (*FILTERS, *SEARCHES, *BOTH, "after={customer}", "q=e&after={number}")),
    *("/customers/{customer}", f"/customers/{REGULAR}"),
    *(f"/cases?{query}" for query in ("", "state=open", "state=acknowledged", "state=resolved", "mine=1", "shop=1003")),
    *("/cases?state=resolved&shop=1003&mine=1", "/cases?after=200:{customer}:1", "/cases/{case}/1"),
    *("/runs", "/runs?after={time}:x", f"/runs/{ORG}:daily:1", f"/runs/{ORG}:customer:77"),
    *("/problems", "/problems?reason=total", "/problems?reason=nowhere", "/problems?decided=1", "/coverage"),
    *("/coverage?shop=1003", "/settings", "/settings?from=3", "/system"),
)
CALLS = (
    *(f"/api/loyalty/sync?orgId={ORG}", f"/api/loyalty/sync?orgId={ORG}&customerId={{customer}}"),
    *(f"/api/loyalty/check-points?orgId={ORG}&phone=5550{{customer}}", "/api/v1/status", "/api/v1/orgs", "/api/v1/me"),
    *(f"{API}/customers?limit=500&{query}" for query in (*FILTERS, *SEARCHES, *BOTH)),
    *(
        f"{API}{path}"
        for path in ("", "/customers/{customer}", f"/customers/{REGULAR}", f"/customers/{REGULAR}/entries")
    ),
    *(f"{API}/customers/{{customer}}{path}" for path in ("/entries?limit=500", "/explanation")),
    *(f"{API}/cases?limit=500&{query}" for query in ("", "state=open", "state=resolved", "assigned=maria")),
    *(f"{API}/cases?limit=500&state={state}&assigned=nobody" for state in ("open", "resolved")),
    *(f"{API}{path}?limit=500" for path in ("/runs", "/alerts", "/deliveries", "/dead-letters", "/audit")),
    *(f"{API}/runs?limit=500&customerId={{customer}}", f"{API}/runs/{ORG}:daily:1"),
    *(f"{API}/cases/{ORG}:{{case}}:1", f"{API}/settings/versions/3"),
    *(f"{API}/dead-letters?limit=500&{query}" for query in ("undecided=true", "reason=nowhere", "stage=accounts")),
    *(f"{API}/dead-letters/reasons", f"{API}/settings", f"{API}/settings/versions", f"{API}/keys", f"{API}/members"),
)
AFTER_A_CURSOR = ("/customers?", "/customers?q=e&", "/cases?state=resolved&", "/runs?", "/alerts?", "/dead-letters?")
WHOLE = (
    "/customers?export=csv",
    "/customers?q=ana&export=json",
    "/cases?state=resolved&export=csv",
    "/runs?export=csv",
)


@dataclass
class Took:
    """What the requests of one kind took, in ms. `cpu_ms`: all of them, of the web role alone, so without what else the
    machine did meanwhile. `bytes`: of the longest answer."""

    what: str
    ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0
    bytes: int = 0

    @property
    def median(self) -> float:
        """Of half of the requests."""
        return statistics.median(self.ms)

    @property
    def p95(self) -> float:
        """Of nineteen out of twenty."""
        return sorted(self.ms)[int(len(self.ms) * 0.95) - 1]

    def __str__(self) -> str:
        cpu = self.cpu_ms / len(self.ms)
        return f"{self.median:8.1f} {self.p95:8.1f} {cpu:8.1f} {self.bytes / 1024:8.0f}  {self.what}"


async def measure(_: int) -> dict[str, object]:
    """Write the views, ask for everything, print a table, and say what is worst."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "views.db"
        began = time.monotonic()
        await asyncio.to_thread(write_views, path)
        written = time.monotonic() - began
        async with _served(path) as role:
            took = await _asked(role)
            whole = await _whole(role.client)
            looked_at, seconds = await _previewed(role.client)
        size = path.stat().st_size
    return {
        "requests": sum(len(each.ms) for each in took),
        "pages, calls and searches": len(took),
        "median of all medians, ms": round(statistics.median(each.median for each in took), 1),
        "slowest median, ms": _worst(took, key="median"),
        "slowest p95, ms": _worst(took, key="p95"),
        f"medians over {GOAL_MS} ms": sum(each.median > GOAL_MS for each in took),
        **{f"whole list, s: {path}": round(took, 2) for path, took in whole.items()},
        "preview of other settings: customers looked at": looked_at,
        "preview of other settings, s": round(seconds, 2),
        "views, MB": round(size / 1e6),
        "views written in, s": round(written),
    }


def _worst(took: Iterable[Took], *, key: str) -> str:
    worst = max(took, key=lambda each: float(getattr(each, key)))
    return f"{getattr(worst, key):.1f} ({worst.what})"


async def _asked(role: _Role) -> list[Took]:
    dice = random.Random(11)
    cursors = await asyncio.gather(*(_cursor(role.client, path) for path in AFTER_A_CURSOR))
    took = []
    print(f"{'median':>8} {'p95':>8} {'CPU':>8} {'KiB':>8}  ms of {REQUESTS} requests each")
    for template in (*PAGES, *CALLS, *cursors):
        each = Took(template)
        before = role.cpu_ms()
        for _ in range(REQUESTS):
            await _ask(role.client, filled(template, dice), each)
        each.cpu_ms = role.cpu_ms() - before
        took.append(each)
        print(each, flush=True)
    return took


async def _ask(client: httpx.AsyncClient, path: str, took: Took) -> None:
    began = time.perf_counter()
    answer = await client.get(path)
    took.ms.append(1000 * (time.perf_counter() - began))
    took.bytes = max(took.bytes, len(answer.content))
    if answer.status_code != 200:
        raise RuntimeError(f"{path} → {answer.status_code}: {answer.text[:300]}")


def filled(template: str, dice: random.Random, size: Size = LARGE) -> str:
    """An address, with some customer and some moment in it."""
    customer = dice.choice(size.ids)
    places = {
        "{customer}": str(customer),
        "{number}": f"{dice.randrange(10_000):04}",
        "{time}": str(NOW - dice.randrange(10_000_000_000)),
        "{case}": str(customer - customer % CASES_EVERY),
    }
    for name, value in places.items():
        template = template.replace(name, value)
    return template


async def _cursor(client: httpx.AsyncClient, path: str) -> str:
    """The list's second page."""
    first = (await client.get(f"{API}{path}limit=500")).json()
    return f"{API}{path}limit=500&{'after' if path == '/alerts?' else 'cursor'}={first['next']}"


async def _whole(client: httpx.AsyncClient) -> dict[str, float]:
    took = {}
    for path in WHOLE:
        began = time.perf_counter()
        (await client.get(API + path)).raise_for_status()
        took[path] = time.perf_counter() - began
    return took


async def _previewed(client: httpx.AsyncClient) -> tuple[int, float]:
    """How many customers the preview of another rate looks at within its time, and that time in seconds."""
    asked = {"settings": {"accruals": [{"points_per_dollar": "2"}], "tolerance": {"percent": "5"}}}
    began = time.perf_counter()
    answer = (await client.post(f"{API}/settings/preview", json=asked)).raise_for_status().json()
    return int(answer["customers"]), time.perf_counter() - began


# --- the web role ---


@dataclass
class _Role:
    """The web role's process, and a client of it."""

    client: httpx.AsyncClient
    pid: int

    def cpu_ms(self) -> float:
        """What it has computed so far (user and system time of proc(5)'s `stat`)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def _served(path: Path) -> AsyncIterator[_Role]:
    """The application in another process, until the block ends."""
    command = [sys.executable, "-m", "bench.web", str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        headers = {"authorization": f"Bearer {KEY}", "accept": "text/html, application/json"}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
            yield _Role(client, process.pid)
    finally:
        process.terminate()
        await process.wait()


class _NoLog:
    """Nothing is published here, and the views are current."""

    ready = True

    async def lag(self) -> int:
        """Of the views."""
        return 0

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Refused."""
        raise NotImplementedError

    async def publish_everywhere(self, output: Output) -> None:
        """Refused."""
        raise NotImplementedError


async def _serve(path: Path) -> None:
    from stream.bootstrap.serving import http
    from stream.sinks.views.read import Views
    from stream.web.app import create_app
    from stream.web.pages import routers
    from stream.web.site import site_of

    log = _NoLog()
    site = site_of(Views(path), log, log, local_key=KEY, calls_a_minute=1_000_000, clock=lambda: NOW)
    async with http(create_app(site, pages=routers()), "127.0.0.1", 0) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_serve(Path(sys.argv[1])))
