"""`loyalty demo`: the whole main job on simulated vendors, checked against an independent calculation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.bootstrap.asking import sync
from stream.bootstrap.checking import Difference, differences
from stream.bootstrap.narration import Narrator
from stream.bootstrap.opening import local_key_path, one_time_address
from stream.bootstrap.past_trade import PastTrade
from stream.bootstrap.places import LOCK, DataFolder
from stream.bootstrap.shop import DATA_DIR_VARIABLE, ORG, PROJECT, Shop, shop
from stream.bootstrap.trading import trade
from stream.bootstrap.up import Tree
from stream.errors import ConfigurationError, LoyaltyError, Unreachable
from stream.ops.progress import Progress
from stream.sandbox.world.build import build_world
from stream.sinks.reading import end_positions
from stream.sinks.views.follower import TOPICS
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run

__all__ = ["ORG", "DemoResult", "Shop", "demo", "first_run", "shop"]

FIRST_RUN = f"{ORG}:daily:first"
RUN_SECONDS = 300.0
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.05
SHOWN_DIFFERENCES = 5
WALKS_AFTER_TRADE = 2
"""An order that moved while nobody polled leaves its former customer at the second complete walk."""


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
    _require_ours(folder.root)
    async with folder.held():
        if not keep:
            folder.empty()
        past = PastTrade.of(folder.root)
        past.save()
        world = build_world(seed, past.began_at, hostile=hostile)
        orders, customers, members = world.size
        progress.say(
            f"a simulated shop with a year of trade: {orders:,} orders, {customers:,} customers, "
            f"{members:,} members at Alpine IQ{' (and everything that can go wrong with both vendors)' * hostile}"
        )
        told = None if once else lambda lines: _overheard(lines, progress)
        async with shop(folder, world, progress, past=past, told=told) as running:
            for _ in range(WALKS_AFTER_TRADE if past.changes else 0):
                progress.say("going on with the last demo's shop: a complete run finds what has changed since")
                await sync(running.configuration, org=ORG, customer=None, wait=True, key=None, progress=progress)
            result = await first_run(running, running.tree.started_at - began, progress)
            if not once:
                _tell(result, running, progress, await one_time_address(folder))
                await trade(running, past, progress)
            return result


def _overheard(lines: list[str], progress: Progress) -> None:
    """A message to the shop's people, as it arrives in their chat."""
    progress.say(f"message to Discord (a stand-in): {lines[0]}")
    for line in lines[1:]:
        progress.say(f"  | {line}")


def _root() -> Path:
    return Path(os.environ.get(DATA_DIR_VARIABLE, ".loyalty")).absolute()


def _require_ours(root: Path) -> None:
    if root.exists() and not (root / "loyalty.toml").exists() and {path.name for path in root.iterdir()} - {LOCK}:
        raise ConfigurationError(f"{root} is not a demo's folder: remove it yourself, or use another --seed")


async def first_run(running: Shop, start_seconds: float, progress: Progress) -> DemoResult:
    """Follow the first run to its end, wait until the views have everything, and compare with the oracle."""
    tree, clock = running.tree, PhaseClock(time.monotonic, running.tree.started_at)
    with contextlib.closing(Views(tree.folder.views)) as views:
        run = await _followed(tree, views, progress, clock)
        if run.outcome != "completed":
            raise LoyaltyError(f"the first run failed in phase {run.phase}: {run.reason}. See {tree.folder.log('*')}.")
        ends = await end_positions(tree.bootstrap, running.configuration.kafka.prefix, TOPICS)
        await views.wait_for(ends, timeout=SETTLE_SECONDS)
        phases = {"start": start_seconds, **clock.phases(), "firstSync": clock.total}
        phases["total"] = start_seconds + time.monotonic() - tree.started_at
        compared, wrong = differences(running.sandbox.world, views, ORG)
        calls = {"alleaves": run.alleaves_calls or 0, "alpineIq": run.alpine_calls or 0}
        rounded = {name: round(seconds, 2) for name, seconds in phases.items()}
        return DemoResult(views.stats(ORG).answer(), rounded, tuple(wrong), compared, calls)


class PhaseClock:
    """Seconds between the moments at which a run was first seen in a phase: one clock, without gaps."""

    def __init__(self, clock: Callable[[], float], began: float) -> None:
        self._clock = clock
        self._began = began
        self._entered = {"connect": began}

    def see(self, phase: str) -> None:
        """The run is in this phase now."""
        self._entered.setdefault(phase, self._clock())

    @property
    def total(self) -> float:
        """From the beginning to the last phase seen."""
        return max(self._entered.values()) - self._began

    def phases(self) -> dict[str, float]:
        """What each took; the last one seen is the end. 0 for one that was over before it could be seen."""
        names, moments = list(self._entered), list(self._entered.values())
        took = {name: until - at for name, at, until in zip(names, moments, moments[1:], strict=False)}
        return {name: took.get(name, 0.0) for name in ("connect", "orders", "balances", "verdicts")}


async def _followed(tree: Tree, views: Views, progress: Progress, clock: PhaseClock) -> Run:
    """The first run, when it has ended; meanwhile what happens is told."""
    deadline = time.monotonic() + RUN_SECONDS
    narrator = Narrator(views, progress)
    while True:
        if tree.processes.failed.done():
            await tree.processes.failed
        narrator.look()
        run = views.run(FIRST_RUN)
        if run is not None and run.phase != "queued":
            clock.see(run.phase)
            if run.outcome is not None:
                narrator.look()
                return run
        if time.monotonic() > deadline:
            raise Unreachable(f"the first run has not ended in {RUN_SECONDS:.0f} s. See {tree.folder.log('*')}.")
        await asyncio.sleep(LOOK_SECONDS)


def _tell(result: DemoResult, running: Shop, progress: Progress, opening: str | None) -> None:
    web = running.tree.folder.endpoints().get("web")
    right = result.compared - len(result.wrong)
    progress.say(f"{right:,} of {result.compared:,} profiles equal an independent calculation (the oracle)")
    for difference in result.wrong[:SHOWN_DIFFERENCES]:
        progress.say(f"  {difference}")
    if running.firestore is not None:
        progress.say(f"Firestore: the same, exported to project {PROJECT} of the emulator at {running.firestore}")
    config = _shortest(running.file)
    # The variable beats what the demo's file says of its folder.
    loyalty = f"env -u {DATA_DIR_VARIABLE} loyalty" if DATA_DIR_VARIABLE in os.environ else "loyalty"
    progress.say(
        f"\nopen      {opening} (once, within the hour)\n"
        f'web API   curl -H "Authorization: Bearer $(cat {_shortest(local_key_path(running.tree.folder))})" '
        f"'{web}/api/loyalty/sync?orgId={ORG}'\n"
        f"          {web}/api/openapi.json\n"
        f"ask more  {loyalty} status --config {config}\n"
        f"          {loyalty} customer show {running.sandbox.world.sample_member_id} --config {config}\n"
        f"          {loyalty} sync --wait --config {config}\n"
        f"          {loyalty} dead-letters list --config {config}\n"
        f"logs      {_shortest(running.tree.folder.log('*'))}\n\n"
        "The shop goes on trading; Ctrl-C ends the demo."
    )


def _shortest(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
