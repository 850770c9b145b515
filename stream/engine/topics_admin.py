"""The topics as they should be, compared with the topics as they are, and corrected.

`apply_topics` creates what is missing and corrects what differs; `check_topics` only says. Neither ever deletes a
topic or changes its partition count: keys would move to other partitions, and state would no longer be beside its
input.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.contracts.topics import ALL, DAY_MS, PEOPLE, Kept, Topic
from stream.engine.connecting import connect
from stream.errors import ConfigurationError, Unreachable

__all__ = ["Change", "Problem", "ProblemKind", "apply_topics", "check_topics", "desired_config"]

SET_ON_THE_TOPIC = 1  # DescribeConfigs' config_source for a value of the topic itself, not of the broker
SETTLE_SECONDS = 30.0
SETTLE_POLL_SECONDS = 0.05


class ProblemKind(StrEnum):
    """`partitions` and `replication` cannot be corrected in place; the others are what `apply_topics` is for."""

    MISSING = "missing"
    PARTITIONS = "partitions"
    REPLICATION = "replication"
    CONFIG = "config"


@dataclass(frozen=True)
class Problem:
    """One way in which a topic differs from what it should be. `topic` carries the prefix."""

    topic: str
    kind: ProblemKind
    expected: str
    found: str
    key: str | None = None

    @property
    def correctable(self) -> bool:
        """Whether `apply_topics` removes this problem."""
        return self.kind in (ProblemKind.MISSING, ProblemKind.CONFIG)

    def __str__(self) -> str:
        if self.kind is ProblemKind.MISSING:
            return f"{self.topic}: is missing"
        what = self.key or self.kind.value
        return f"{self.topic}: {what} should be {self.expected}, is {self.found}"


@dataclass(frozen=True)
class Change:
    """What `apply_topics` did to a topic: `created`, or set `key` from `before` to `after`."""

    topic: str
    created: bool
    key: str | None = None
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        return f"{self.topic}: created" if self.created else f"{self.topic}: {self.key} {self.before} → {self.after}"


@dataclass(frozen=True)
class _Found:
    partitions: int
    replicas: int
    config: dict[str, str]
    own: dict[str, str]
    """The part of `config` that is set on the topic itself."""


def desired_config(topic: Topic, replication: int) -> dict[str, str]:
    """Kafka's configuration of a topic at this replication factor."""
    config = dict(topic.config) | {"min.insync.replicas": "2" if replication >= 3 else "1"}
    if topic.kept is Kept.COMPACTED:
        # A copy (views, a worker's local store) that was off for less than this still sees every removal.
        config["delete.retention.ms"] = str(30 * DAY_MS)
    if topic.name.endswith("-changelog"):
        # Recovery reads all of a changelog, so old values must go soon: the active segment is never compacted.
        config |= {
            "min.cleanable.dirty.ratio": "0.2",
            "segment.bytes": str(64 << 20),
            "segment.ms": str(6 * 3_600_000),
        }
    if topic is PEOPLE:
        # Erased personal data leaves the disk within a day, however little is written.
        config["max.compaction.lag.ms"] = str(DAY_MS)
    return config


async def check_topics(bootstrap: str, prefix: str, partitions: int, replication: int | None = None) -> list[Problem]:
    """Say how the topics differ from what they should be, changing nothing.

    `replication` None: whatever is there is right, and decides `min.insync.replicas`.
    Raises Unreachable when no broker answers.
    """
    async with _admin(bootstrap) as admin:
        return _problems(await _found(admin, prefix), prefix, partitions, replication)


async def apply_topics(bootstrap: str, prefix: str, partitions: int, replication: int) -> list[Change]:
    """Create the topics that are missing and correct the configuration of the others. Repeating it changes nothing.

    Raises ConfigurationError, before anything is changed, when an existing topic has another number of partitions
    or fewer replicas; Unreachable when no broker answers.
    """
    async with _admin(bootstrap) as admin:
        found = await _found(admin, prefix)
        problems = _problems(found, prefix, partitions, replication)
        _refuse([problem for problem in problems if not problem.correctable])
        missing = [topic for topic in ALL if prefix + topic.name not in found]
        created = await _create(admin, missing, prefix, partitions, replication)
        configured = await _configure(admin, found, [p for p in problems if p.kind is ProblemKind.CONFIG])
        await _settled(admin, prefix, partitions, replication)
        return created + configured


def _problems(found: Mapping[str, _Found], prefix: str, partitions: int, replication: int | None) -> list[Problem]:
    return [
        problem
        for topic in ALL
        for problem in _problems_of(topic, prefix + topic.name, found.get(prefix + topic.name), partitions, replication)
    ]


def _problems_of(
    topic: Topic, name: str, found: _Found | None, partitions: int, replication: int | None
) -> list[Problem]:
    if found is None:
        return [Problem(name, ProblemKind.MISSING, f"{partitions} partitions", "missing")]
    problems = []
    if found.partitions != partitions:
        problems.append(Problem(name, ProblemKind.PARTITIONS, str(partitions), str(found.partitions)))
    if replication is not None and found.replicas < replication:
        problems.append(Problem(name, ProblemKind.REPLICATION, str(replication), str(found.replicas)))
    for key, value in desired_config(topic, replication or found.replicas).items():
        if found.config.get(key) != value:
            problems.append(Problem(name, ProblemKind.CONFIG, value, found.config.get(key, "not set"), key))
    return problems


def _refuse(problems: list[Problem]) -> None:
    if not problems:
        return
    lines = "\n".join(f"  {problem}" for problem in problems)
    raise ConfigurationError(
        f"the topics that exist do not fit the configuration:\n{lines}\n"
        "Set kafka.partitions to what exists, or use another kafka.prefix and replay; "
        "raise replicas with kafka-reassign-partitions.sh, or lower kafka.replication."
    )


async def _create(
    admin: AIOKafkaAdminClient, topics: list[Topic], prefix: str, partitions: int, replication: int
) -> list[Change]:
    if not topics:
        return []
    new = [
        NewTopic(prefix + topic.name, partitions, replication, topic_configs=desired_config(topic, replication))
        for topic in topics
    ]
    answer = await admin.create_topics(new)
    changes = []
    for name, code, *message in answer.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            continue  # another process is doing the same
        if code:
            raise ConfigurationError(
                f"Kafka refused to create topic {name} with {partitions} partitions and {replication} replicas: "
                f"{for_code(code).__name__} {' '.join(m for m in message if m)}. "
                "Correct kafka.partitions, kafka.replication or the broker's permissions."
            )
        changes.append(Change(name, created=True))
    return changes


async def _configure(admin: AIOKafkaAdminClient, found: Mapping[str, _Found], problems: list[Problem]) -> list[Change]:
    wanted: dict[str, dict[str, str]] = {}
    for problem in problems:
        wanted.setdefault(problem.topic, {})[problem.key or ""] = problem.expected
    if not wanted:
        return []
    # AlterConfigs replaces everything that is set on a topic, so what an operator has set goes along.
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, found[name].own | config) for name, config in wanted.items()
    ]
    for answer in await admin.alter_configs(resources):
        for code, message, _, name in answer.resources:
            if code:
                raise ConfigurationError(
                    f"Kafka refused to configure topic {name}: {for_code(code).__name__} {message or ''}. "
                    "Give this client the permission AlterConfigs, or set the values by hand."
                )
    return [Change(p.topic, created=False, key=p.key, before=p.found, after=p.expected) for p in problems]


async def _found(admin: AIOKafkaAdminClient, prefix: str) -> dict[str, _Found]:
    names = {prefix + topic.name for topic in ALL}
    # All topics are asked for: asking for one by name creates it where the broker creates topics by itself.
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    present = sorted(names & described.keys())
    configs = await _configs(admin, present)
    return {
        name: _Found(
            partitions=len(described[name]),
            replicas=min((len(partition["replicas"]) for partition in described[name]), default=0),
            config={key: value for key, (value, _) in configs[name].items()},
            own={key: value for key, (value, source) in configs[name].items() if source == SET_ON_THE_TOPIC},
        )
        for name in present
    }


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, tuple[str, int]]]:
    """Per topic: key → value and where it comes from."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs: dict[str, dict[str, tuple[str, int]]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise ConfigurationError(
                    f"Kafka refused to describe topic {name}: {for_code(code).__name__} {message or ''}. "
                    "Give this client the permission DescribeConfigs."
                )
            configs[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
    return configs


async def _settled(admin: AIOKafkaAdminClient, prefix: str, partitions: int, replication: int) -> None:
    """Wait until the brokers show everything as it should be: they answer a change before they all know of it.

    What another process has created meanwhile, in another way, is refused here.
    """
    waiting_for = "an answer"
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                problems = _problems(await _found(admin, prefix), prefix, partitions, replication)
                _refuse([problem for problem in problems if not problem.correctable])
                leaderless = await _leaderless(admin, prefix)
                if not problems and not leaderless:
                    return
                waiting_for = ", ".join([*map(str, problems), *(f"{name}: a leader" for name in leaderless)])
                await asyncio.sleep(SETTLE_POLL_SECONDS)
    except TimeoutError:
        raise Unreachable(
            f"after {SETTLE_SECONDS:.0f} s Kafka still does not show what was changed: {waiting_for}. "
            "Look at the brokers' logs."
        ) from None


async def _leaderless(admin: AIOKafkaAdminClient, prefix: str) -> list[str]:
    names = {prefix + topic.name for topic in ALL}
    return [
        topic["topic"]
        for topic in await admin.describe_topics()
        if topic["topic"] in names and any(partition["leader"] < 0 for partition in topic["partitions"])
    ]


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000)
    try:
        await connect(admin)
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unreachable(
            f"Kafka does not answer at {bootstrap}: {error or type(error).__name__}. "
            "Start it, or correct kafka.bootstrap."
        ) from error
    finally:
        await admin.close()
