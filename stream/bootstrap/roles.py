"""One coroutine per role: builds its objects, serves health and metrics, runs until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable

import structlog

from stream.bootstrap.places import DataFolder, folder_of, kafka_of
from stream.bootstrap.reaching import watch_kafka
from stream.bootstrap.serving import http, require_topics
from stream.errors import ConfigurationError
from stream.ops.endpoints import operations, operations_routes
from stream.ops.health import Condition, Health, Role
from stream.ops.metrics import Metrics
from stream.settings import Configuration

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
"""How long whoever asks for something waits for Kafka."""


class Station:
    """What every role has: an address of Kafka, a data folder, health and metrics."""

    def __init__(self, configuration: Configuration, role: Role) -> None:
        self.configuration = configuration
        self.folder: DataFolder = folder_of(configuration)
        self.bootstrap = kafka_of(configuration)
        self.prefix = configuration.kafka.prefix
        self.health = Health(role, time.monotonic)
        self.metrics = Metrics()

    async def beat(self, look: Callable[[], None]) -> None:
        """Beat for ever; `look` brings health and metrics up to date."""
        while True:
            self.health.beat()
            look()
            await asyncio.sleep(BEAT_SECONDS)


@contextlib.asynccontextmanager
async def _station(configuration: Configuration, role: Role) -> AsyncIterator[Station]:
    """A role's station, with its topics checked. Whether Kafka still answers is asked for as long as the role runs."""
    station = Station(configuration, role)
    await require_topics(station.bootstrap, configuration.kafka)
    station.health.say(Condition.KAFKA, True)
    watching = asyncio.create_task(watch_kafka(station.bootstrap, station.health))
    try:
        yield station
    finally:
        watching.cancel()
        await asyncio.wait([watching])


@contextlib.asynccontextmanager
async def _operations(station: Station) -> AsyncIterator[None]:
    ops = station.configuration.ops
    async with http(operations(station.health, station.metrics), ops.host, ops.port) as address:
        station.folder.publish(**{station.health.role.value: address})
        yield


async def poll(configuration: Configuration) -> None:
    """Run the producers of every configured org."""
    from stream.bootstrap.brand import with_brands
    from stream.bootstrap.producing import producing

    orgs = (await with_brands(configuration)).orgs
    async with _station(configuration, Role.POLL) as station, _operations(station), asyncio.TaskGroup() as tasks:
        role = await producing(station, orgs)
        tasks.create_task(station.beat(role.look))
        tasks.create_task(role.run())


async def worker(configuration: Configuration, *, name: str) -> None:
    """Run the agents."""
    from stream.agents.accounts import Accounts, accounts
    from stream.agents.contacts import Contacts, contacts
    from stream.agents.runs import Runs, runs
    from stream.agents.schedule import BEAT_SECONDS as SCHEDULE_SECONDS
    from stream.agents.schedule import ORGS, Schedule
    from stream.bootstrap.measuring import WorkerMeter, repeatedly
    from stream.contracts import topics
    from stream.engine.faust.worker import Stateful, build, every, owned_partitions, run
    from stream.engine.publisher import KafkaPublisher

    async with (
        _station(configuration, Role.WORKER) as station,
        _operations(station),
        KafkaPublisher(station.bootstrap, station.prefix, client_id=f"schedule-{name}") as publisher,
    ):
        agents = (
            Stateful(Accounts(), accounts, topics.ACCOUNTS_CHANGELOG),
            Stateful(Contacts(), contacts, topics.CONTACTS_CHANGELOG),
            Stateful(Runs(), runs, topics.RUNS_CHANGELOG),
        )
        app = build(
            agents,
            bootstrap=station.bootstrap,
            prefix=station.prefix,
            partitions=configuration.kafka.partitions,
            data_dir=station.folder.worker(name),
            name=f"worker-{name}",
        )
        schedule = Schedule(publisher, lambda: owned_partitions(app, topics.RUNS, ORGS))
        every(app, SCHEDULE_SECONDS, "the schedule", schedule.beat)

        sources = {one.agent.name: one.agent.source.name for one in agents}
        meter = WorkerMeter(station.metrics, app, station.bootstrap, station.prefix, sources)
        app.ownership.observed = meter.unit

        def look() -> None:
            meter.look()
            stopped, owned = app.ownership.stopped(), app.ownership.positions()
            recovered = not app.in_recovery and not app.rebalancing and not stopped
            station.health.say(Condition.ASSIGNED, bool(owned), f"{len(owned)} partitions")
            station.health.say(Condition.RECOVERED, recovered, "; ".join(stopped.values()))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(station.beat(look))
            tasks.create_task(repeatedly(meter.lag))
            tasks.create_task(run(app, lambda: log.info("worker ready", worker=name)))


async def sink_firestore(configuration: Configuration) -> None:
    """Export to Firestore."""
    from stream.bootstrap.measuring import SinkMeter, repeatedly
    from stream.engine.publisher import KafkaPublisher
    from stream.sinks.firestore.sink import FirestoreSink

    firestore = configuration.firestore
    if firestore.project is None:
        raise ConfigurationError("firestore.project is not set: there is nowhere to export to")
    async with (
        _station(configuration, Role.SINK_FIRESTORE) as station,
        _operations(station),
        KafkaPublisher(station.bootstrap, station.prefix, client_id="sink-firestore") as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        sink = FirestoreSink(
            station.bootstrap,
            station.prefix,
            publisher,
            project=firestore.project,
            database=firestore.database,
            emulator_host=os.environ.get("FIRESTORE_EMULATOR_HOST"),
            entries=firestore.entries,
        )
        meter = SinkMeter(station.metrics, sink, station.bootstrap, station.prefix)

        def look() -> None:
            meter.look()
            station.health.say(Condition.FIRESTORE, *sink.standing())

        tasks.create_task(station.beat(look))
        tasks.create_task(repeatedly(meter.lag))
        tasks.create_task(sink.run())


async def sink_notify(configuration: Configuration, *, name: str) -> None:
    """Tell people."""
    from stream.bootstrap.measuring import repeatedly
    from stream.bootstrap.notifying import NotifyMeter, notifier_of

    async with (
        _station(configuration, Role.SINK_NOTIFY) as station,
        _operations(station),
        asyncio.TaskGroup() as tasks,
    ):
        notifier = notifier_of(configuration, station.bootstrap, name)
        meter = NotifyMeter(station.metrics, notifier, station.bootstrap, station.prefix)

        def look() -> None:
            meter.look()
            station.health.say(Condition.CAUGHT_UP, notifier.ready, notifier.standing)

        tasks.create_task(station.beat(look))
        tasks.create_task(repeatedly(meter.lag))
        tasks.create_task(notifier.run())


async def web(configuration: Configuration) -> None:
    """Keep the views, log what happens to runs, and serve the API."""
    from stream.bootstrap.journal import Journal
    from stream.bootstrap.measuring import ViewsMeter, repeatedly
    from stream.bootstrap.opening import configured_key, local_key_path, require_access
    from stream.bootstrap.run_changes import RunWatch
    from stream.engine.publisher import KafkaPublisher
    from stream.sinks.views.follower import ViewsFollower
    from stream.sinks.views.read import Views
    from stream.web import agent_tool
    from stream.web.access.keys import local_key
    from stream.web.app import create_app
    from stream.web.originals import KafkaOriginals
    from stream.web.pages import problem_page, routers
    from stream.web.site import site_of

    web = configuration.web
    async with (
        _station(configuration, Role.WEB) as station,
        KafkaPublisher(
            station.bootstrap, station.prefix, client_id="web", patience_seconds=PATIENCE_SECONDS
        ) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        await require_access(web, station.bootstrap, station.prefix)
        follower = ViewsFollower(station.bootstrap, station.prefix, station.folder.views)
        tasks.create_task(follower.run())
        await follower.opened()
        with contextlib.closing(Views(station.folder.views)) as views:
            meter = ViewsMeter(station.metrics, views, station.bootstrap, station.prefix)

            async def keep_journal() -> None:
                await follower.caught_up()  # what is read again from an old log is no news
                journal, watch = Journal(station.metrics), RunWatch(views)
                try:
                    while True:
                        journal.note_all(watch.changes())
                        await asyncio.sleep(BEAT_SECONDS)
                finally:  # a run may have ended just before us
                    journal.note_all(watch.changes())

            site = site_of(
                views,
                follower,
                publisher,
                originals=KafkaOriginals(station.bootstrap, station.prefix),
                local_key=local_key(local_key_path(station.folder)),
                configured_key=configured_key(web),
                regions={org.id: org.alleaves.phone_region for org in configuration.orgs if org.alleaves},
                calls_a_minute=web.calls_a_minute,
                roles=station.folder.endpoints,
            )
            async with agent_tool.routes(site.service) as mcp:
                beside = [*operations_routes(station.health, station.metrics), *mcp]
                app = create_app(site, beside, routers(), problem_page)
                async with http(app, web.host, web.port) as address:
                    station.folder.publish(web=address)
                    log.info("web ready", address=address)
                    tasks.create_task(repeatedly(meter.lag))
                    tasks.create_task(keep_journal())
                    await station.beat(lambda: station.health.say(Condition.CAUGHT_UP, follower.ready))
