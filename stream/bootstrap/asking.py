"""Commands that ask the running system for something: a sync, a backfill."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from stream.bootstrap.browsing import views_at
from stream.bootstrap.deciding import now_ms, said
from stream.bootstrap.narration import Narrator
from stream.bootstrap.places import folder_of, kafka_of
from stream.bootstrap.serving import require_topics
from stream.contracts.runs import RunKind
from stream.engine.publisher import KafkaPublisher
from stream.errors import BadRecord, ConfigurationError, LoyaltyError, Unreachable
from stream.ops.progress import Progress
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run
from stream.web.asking import request_run, run_id, slot_of
from stream.web.service import LoyaltySync

WAIT_SECONDS = 900.0
APPEAR_SECONDS = 30.0
LOOK_SECONDS = 0.2
RUNS_LOOKED_AT = 20
BACKFILL = "backfill-"
BY = "cli:unknown"
"""Who asks, where nobody says."""


class Asked(msgspec.Struct, frozen=True):
    """The run that was asked for: `status` is `requested`, or how it ended."""

    run: str
    org: str
    customer: str | None
    status: str
    result: dict[str, object] | None = None


class RunFailedError(LoyaltyError):
    """The run that was waited for has failed."""


async def sync(
    configuration: Configuration,
    *,
    org: str,
    customer: str | None,
    wait: bool,
    key: str | None,
    progress: Progress,
    by: str = BY,
) -> Asked:
    """Ask for a run of an org, or of one customer. The same key asks for the same run."""
    run = await _request(configuration, org, customer, key or _slot(), by)
    if not wait:
        return Asked(run, org, customer, "requested")
    return _answer(await _ended(configuration, run, progress))


async def backfill(configuration: Configuration, *, org: str, progress: Progress, by: str = BY) -> Asked:
    """Read the org's whole history once, by a daily run of its own; wait for its end. One that is under way is
    followed: the producers go on with it whoever watches, and after a crash where they were."""
    run = _under_way(configuration, org) or await _request(configuration, org, None, f"{BACKFILL}{_slot()}", by)
    return _answer(await _ended(configuration, run, progress))


def _under_way(configuration: Configuration, org: str) -> str | None:
    with views_at(configuration) as views:
        backfills = (run for run in views.runs(org, limit=RUNS_LOOKED_AT) if f":{BACKFILL}" in run.run)
        return next((run.run for run in backfills if run.outcome is None), None)


async def start_again(configuration: Configuration, bootstrap: str, views: Views, progress: Progress) -> None:
    """Ask for a run of every org whose runs have all failed: whatever was wrong may have been put right."""
    for org in configuration.orgs:
        runs = [run for run in views.runs(org.id, limit=RUNS_LOOKED_AT) if run.customer is None]
        if runs and all(run.outcome == "failed" for run in runs):
            progress.say(f"{org.id}: no run has succeeded yet, trying again. The last one: {runs[0].reason}")
            async with KafkaPublisher(bootstrap, configuration.kafka.prefix, client_id="cli") as publisher:
                await _asked_for(publisher, org.id, None, f"again-{_slot()}", "start")


async def _request(configuration: Configuration, org: str, customer: str | None, slot: str, by: str) -> str:
    """By the service behind API and dashboard, which knows whether there is such a customer. A machine without views (a
    scheduler's) can ask too: it only does not know."""
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    await require_topics(bootstrap, configuration.kafka)
    async with KafkaPublisher(bootstrap, prefix, client_id="cli") as publisher:
        with _checked(), said():
            if not folder_of(configuration).views.exists():
                return await _asked_for(publisher, org, customer, slot, by)
            with views_at(configuration) as views:
                service = LoyaltySync(views, publisher, clock=now_ms)
                if customer is None:
                    return (await service.sync_all_customers(org, by=by, key=slot))["runId"]
                return (await service.sync_customer(customer, org, by=by, key=slot))["runId"]


async def _asked_for(publisher: KafkaPublisher, org: str, customer: str | None, slot: str, by: str) -> str:
    now = now_ms()
    run = run_id(org, customer, slot_of(slot, now))
    kind = RunKind.DAILY if customer is None else RunKind.CUSTOMER
    await request_run(publisher, run, org=org, customer=customer, kind=kind, by=by, now=now)
    return run


@contextlib.contextmanager
def _checked() -> Iterator[None]:
    """An id that cannot be is wrong usage."""
    try:
        yield
    except BadRecord as error:
        raise ConfigurationError(str(error)) from error


async def _ended(configuration: Configuration, run: str, progress: Progress) -> Run:
    """Follow the run in the views to its end."""
    begun = time.monotonic()
    with views_at(configuration) as views:
        narrator = Narrator(views, progress)
        while True:
            narrator.look()
            found = views.run(run)
            if found is not None:
                if found.outcome is not None:
                    return found
            elif time.monotonic() - begun > APPEAR_SECONDS:
                raise Unreachable(f"{run} was asked for but nobody has taken it up: does `loyalty worker` run?")
            if time.monotonic() - begun > WAIT_SECONDS:
                raise Unreachable(f"{run} has not ended within {WAIT_SECONDS / 60:.0f} minutes; it goes on.")
            await asyncio.sleep(LOOK_SECONDS)


def _answer(run: Run) -> Asked:
    if run.outcome != "completed":
        raise RunFailedError(f"{run.run} failed in phase {run.phase}: {run.reason}")
    result: dict[str, object] = {"phasesMs": run.phases_ms, "orders": run.orders, "balances": run.balances}
    if run.customer is not None:
        result["verdict"] = run.answer
    elif run.tally is not None:
        result |= msgspec.to_builtins(run.tally)
    return Asked(run.run, run.org, run.customer, run.outcome, result)


def _slot() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
