"""`loyalty demo`: the whole main job on simulated vendors, checked against an independent calculation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from stream.bootstrap.checking import Difference, differences
from stream.bootstrap.places import DataFolder
from stream.bootstrap.up import Tree, tree
from stream.configuration import load
from stream.errors import LoyaltyError, Unreachable
from stream.ops.progress import Progress
from stream.sandbox.failures import Conditions
from stream.sandbox.firestore import find_emulator
from stream.sandbox.serve import Sandbox, running
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import World
from stream.settings import Configuration
from stream.sinks.reading import end_positions
from stream.sinks.views.follower import TOPICS
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run

log = structlog.get_logger(__name__)

ORG = "brand_example"
FIRST_RUN = f"{ORG}:daily:first"
PROJECT = "demo-loyalty"
RUN_SECONDS = 300.0
SETTLE_SECONDS = 60.0
TRADE_SECONDS = 3.0
SHOWN_DIFFERENCES = 5


@dataclass(frozen=True)
class DemoResult:
    """How a demo ended. `phases`: seconds; `wrong`: profiles that are not what the oracle says."""

    figures: Mapping[str, object]
    phases: Mapping[str, float]
    wrong: tuple[Difference, ...]
    compared: int
    calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every profile equals the oracle."""
        return not self.wrong

    def answer(self) -> Mapping[str, object]:
        """The brief's figures, the time of each phase, and what was compared."""
        oracle = {"profilesCompared": self.compared, "profilesWrong": len(self.wrong)}
        shown = {"differences": [str(w) for w in self.wrong[:SHOWN_DIFFERENCES]]} if self.wrong else {}
        return {**self.figures, "phases": self.phases, "vendorCalls": self.calls, "oracle": oracle | shown}


async def demo(*, seed: int, hostile: bool, keep: bool, once: bool, progress: Progress) -> DemoResult:
    """Run everything; with `once` end after the first run, else trade goes on until Ctrl-C."""
    began = time.monotonic()
    folder = DataFolder(_root() / f"demo-{seed}{'-hostile' if hostile else ''}")
    if not keep:
        _wipe(folder.root)
    world = build_world(seed, int(time.time() * 1000), hostile=hostile)
    async with shop(folder, world, progress) as running_shop:
        result = await first_run(running_shop, running_shop.tree.started_at - began, progress)
        if once:
            return result
        _tell(result, running_shop)
        await _trade(running_shop)
        return result


@dataclass(frozen=True)
class Shop:
    """Simulated vendors with the whole system running against them. `file`: its configuration."""

    sandbox: Sandbox
    configuration: Configuration
    file: Path
    tree: Tree


@contextlib.asynccontextmanager
async def shop(
    folder: DataFolder,
    world: World,
    progress: Progress,
    *,
    alleaves: Conditions | None = None,
    alpine_iq: Conditions | None = None,
    with_firestore: bool = True,
) -> AsyncIterator[Shop]:
    """Vendors, Firestore emulator, Kafka and all roles while the block runs. Conditions: latency and failures."""
    firestore_ = _firestore(folder, progress) if with_firestore else contextlib.nullcontext()
    async with running(world, alleaves=alleaves, alpine_iq=alpine_iq) as sandbox, firestore_ as firestore:
        file = _write_configuration(folder, sandbox, firestore)
        configuration = load(file, os.environ)
        environment = {"LOYALTY_CONFIG": str(file)} | ({"FIRESTORE_EMULATOR_HOST": firestore} if firestore else {})
        async with tree(configuration, environment, progress) as tree_:
            yield Shop(sandbox, configuration, file, tree_)


def _root() -> Path:
    return Path(os.environ.get("LOYALTY_DATA_DIR", ".loyalty")).absolute()


def _wipe(root: Path) -> None:
    if root.exists() and not (root / "loyalty.toml").exists() and any(root.iterdir()):
        raise LoyaltyError(f"{root} is not a demo's folder: remove it yourself, or use another --seed")
    shutil.rmtree(root, ignore_errors=True)


@contextlib.asynccontextmanager
async def _firestore(folder: DataFolder, progress: Progress) -> AsyncIterator[str | None]:
    """The address of a Firestore emulator; None where there is none (said once)."""
    emulator = find_emulator(folder.root / "firestore")
    if emulator is None:
        progress("no Firestore emulator here: the export is left out", 0, None)
        yield None
        return
    progress("starting the Firestore emulator", 0, 1)
    async with emulator:
        progress("starting the Firestore emulator", 1, 1)
        yield emulator.host


def _write_configuration(folder: DataFolder, sandbox: Sandbox, firestore: str | None) -> Path:
    """The file that the roles read: the same as for real vendors, with the sandbox's addresses."""
    about = sandbox.as_dict()
    secrets = folder.root / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    shop, provider = sandbox.alleaves_credentials, sandbox.alpine_credentials
    for name, secret in (("password", shop.password), ("pin", shop.pin), ("api_key", provider.api_key)):
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
    world = about["world"]
    assert isinstance(world, dict)
    equity = world["equity"]
    text = _TOML.format(
        root=folder.root,
        firestore=f'[firestore]\nproject = "{PROJECT}"\n' if firestore else "",
        org=ORG,
        alleaves=sandbox.alleaves_url,
        username=shop.username,
        alpine=sandbox.alpine_url,
        uid=provider.uid,
        equity_field=equity["field"],
        equity_values=_listed(equity["values"]),
        equity_customers=_listed(equity["customers"]),
    )
    file = folder.root / "loyalty.toml"
    file.write_text(text)
    return file


def _listed(values: list[object]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


_TOML = """# Written by `loyalty demo`: the simulated vendors' addresses.
data_dir = "{root}"
log_format = "json"

[web]
port = 0

{firestore}
[[org]]
id = "{org}"
mode = "live"

[org.alleaves]
base_url = "{alleaves}"
username = "{username}"
password = "file:secrets/password"
pin = "file:secrets/pin"

[org.alpine_iq]
base_url = "{alpine}"
uid = "{uid}"
api_key = "file:secrets/api_key"

[org.equity]
field = "{equity_field}"
values = {equity_values}
customers = {equity_customers}
"""


async def first_run(running_shop: Shop, start_seconds: float, progress: Progress) -> DemoResult:
    """Follow the first run to its end, wait until the views have everything, and compare with the oracle."""
    tree_ = running_shop.tree
    phases = {"start": round(start_seconds, 2)}
    with contextlib.closing(Views(tree_.folder.views)) as views:
        run = await _followed(tree_, views, progress)
        phases["firstSync"] = round(time.monotonic() - tree_.started_at, 2)
        phases |= {name: round(ms / 1000, 2) for name, ms in run.phases_ms.items()}
        if run.outcome != "completed":
            raise LoyaltyError(f"the first run failed in phase {run.phase}: {run.reason}. See {tree_.folder.log('*')}.")
        ends = await end_positions(tree_.bootstrap, running_shop.configuration.kafka.prefix, TOPICS)
        await views.wait_for(ends, timeout=SETTLE_SECONDS)
        phases["total"] = round(time.monotonic() - tree_.started_at + start_seconds, 2)
        compared, wrong = differences(running_shop.sandbox.world, views, ORG)
        calls = {"alleaves": run.alleaves_calls or 0, "alpineIq": run.alpine_calls or 0}
        return DemoResult(views.stats(ORG).answer(), phases, tuple(wrong), compared, calls)


async def _followed(tree_: Tree, views: Views, progress: Progress) -> Run:
    """The first run, when it has ended; meanwhile what happens is told."""
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        if tree_.processes.failed.done():
            await tree_.processes.failed
        run = views.run(FIRST_RUN)
        if run is not None:
            progress(f"first run: {run.phase}", 0, None)
            if run.outcome is not None:
                return run
        if time.monotonic() > deadline:
            raise Unreachable(f"the first run has not ended in {RUN_SECONDS:.0f} s. See {tree_.folder.log('*')}.")
        await asyncio.sleep(0.1)


def _tell(result: DemoResult, running_shop: Shop) -> None:
    figures = result.figures
    print(  # noqa: T201
        f"{figures['totalCustomers']:,} customers, {figures['withAlpineSync']} known to Alpine IQ: "
        f"{figures['reconciled']} agree, {figures['needsReview']} need review. "
        f"{result.compared - len(result.wrong):,} of {result.compared:,} profiles equal the oracle.\n"
        f"Web: {running_shop.tree.folder.endpoints().get('web')}\n"
        f"Ask more: loyalty status --config {running_shop.file}\n"
        "Trade goes on; Ctrl-C ends it.",
        flush=True,
    )


async def _trade(running_shop: Shop) -> None:
    """Let the shop go on trading, and say what happens, until cancelled."""
    while True:
        if running_shop.tree.processes.failed.done():
            await running_shop.tree.processes.failed
        for change in running_shop.sandbox.trade.run(1, int(time.time() * 1000)):
            print(f"{change.kind}: order {change.order_id} of customer {change.customer_id}", flush=True)  # noqa: T201
        await asyncio.sleep(TRADE_SECONDS)
