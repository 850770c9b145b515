"""Subscribers written from the documentation alone: its programs, taken from the page, read a real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.contracts.alerts import AlertKind, decode_alert, encode_alert, replayed
from stream.contracts.asyncapi.__main__ import read
from stream.engine.connecting import connect
from stream.sandbox.embedded.jars import KAFKA_VERSION, cache_folder, kafka_class_path
from stream.sandbox.embedded.java import QUICK_START, java_executable
from tests.end_to_end.programs import Program

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "subscribers.md").read_text(encoding="utf-8")
READER, SUBSCRIBER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CONSOLE, KCAT = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
DOCUMENT = str(DOCS / "asyncapi.yaml")


class Record(NamedTuple):
    """A record of the alerts topic."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    def with_header(self, name: str, value: bytes) -> Record:
        """Another one with one header changed."""
        return self._replace(headers=list((dict(self.headers) | {name: value}).items()))

    @property
    def id(self) -> str:
        return dict(self.headers)["ce_id"].decode()


def alerts() -> list[Record]:
    """One alert of every kind, encoded by what agents encode with. Content: that of the golden samples."""
    found = []
    for number, (kind, sample) in enumerate(read(DOCS / "samples")["alerts"].items()):
        alert = decode_alert(msgspec.json.encode(sample.value))
        value, headers = encode_alert(alert, alert_id=f"alerts-0-0-{number}-{kind}", at=1_769_804_518_003 + number)
        found.append(Record(sample.key.encode(), value, headers))
    assert len(found) == len(AlertKind)
    return found


ALERTS = alerts()
LAST = ALERTS[0].with_header("ce_id", b"the-last")


@pytest.fixture
async def producer(kafka: str, topic_prefix: str) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic_prefix}agent")
    try:
        await connect(client)
        yield client
    finally:
        await client.stop()


@pytest.fixture
async def topic(kafka: str, topic_prefix: str) -> str:
    """An alerts topic of one partition, so that what was written last is read last."""
    name = f"{topic_prefix}alerts"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await connect(admin)
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def publish(producer: AIOKafkaProducer, topic: str, records: Iterable[Record], *, commit: bool = True) -> None:
    """One transaction, as agents write."""
    await producer.begin_transaction()
    for record in records:
        await producer.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
    await (producer.commit_transaction() if commit else producer.abort_transaction())


@pytest.fixture
async def published(producer: AIOKafkaProducer, topic: str) -> str:
    """Every kind of alert, one of them published again, one that was taken back, one of a kind that is yet to come."""
    first = ALERTS[0]
    await publish(producer, topic, ALERTS)
    await publish(producer, topic, [first.with_header("ce_id", b"taken-back")._replace(value=b"{}")], commit=False)
    await publish(producer, topic, [first._replace(headers=replayed(first.headers))])
    await publish(producer, topic, [first.with_header("ce_type", b"com.loyaltystream.yet.to_come"), LAST])
    return topic


class Programs:
    """Programs of the page that run until the test ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    def python(self, name: str, code: str, *arguments: str) -> Program:
        """A program in a file of its own, started with nothing but what the page says."""
        file = self._folder / f"{name}.py"
        file.write_text(code, encoding="utf-8")
        return self.start(name, sys.executable, "-u", str(file), *arguments)

    def start(self, name: str, *command: str, **environment: str) -> Program:
        """A command, in a folder of its own."""
        program = Program(*command, folder=self._folder / name, more={"PYTHONPATH": ""} | environment)
        self._running.append(program)
        return program

    def stop(self) -> None:
        """As with Ctrl-C: who leaves its consumer group does not keep the next member waiting."""
        for program in self._running:
            program.stop()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    started = Programs(tmp_path)
    yield started
    started.stop()


def lines(program: Program, count: int) -> list[str]:
    """What it printed, once it has printed as many lines."""
    program.until(lambda: program.out.count("\n") >= count)
    return program.out.splitlines()


async def test_a_subscriber_receives_and_validates_every_alert_once(
    published: str, kafka: str, programs: Programs
) -> None:
    program = programs.python("subscriber", SUBSCRIBER, kafka, published, DOCUMENT)
    taken = [json.loads(line) for line in lines(program, len(ALERTS) + 1)]
    assert [each["id"] for each in taken] == [alert.id for alert in [*ALERTS, LAST]]
    assert [each["alert"] for each in taken] == [json.loads(alert.value) for alert in [*ALERTS, LAST]]
    assert {each["alert"]["kind"] for each in taken} == set(AlertKind)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (LAST._replace(value=LAST.value.replace(b'"ours":52', b'"ours":"52"')), "'52' is not of type 'integer'"),
        (LAST.with_header("ce_isreplay", b"perhaps"), "'perhaps' is not one of"),
    ],
)
async def test_a_subscriber_refuses_what_is_not_as_documented(
    producer: AIOKafkaProducer, topic: str, kafka: str, programs: Programs, wrong: Record, why: str
) -> None:
    await publish(producer, topic, [wrong])
    ended = programs.python("subscriber", SUBSCRIBER, kafka, topic, DOCUMENT).ended()
    assert (ended.code, ended.out) == (1, "")
    assert f"ValidationError: {why}" in ended.err


async def test_the_short_reader_prints_every_committed_record(published: str, kafka: str, programs: Programs) -> None:
    printed = lines(programs.python("reader", READER, kafka, published), len(ALERTS) + 3)
    for line, alert in zip(printed, ALERTS, strict=False):
        about = {name: value.decode() for name, value in alert.headers}
        assert line == f"{about['ce_time']} {about['ce_type']} {about['ce_subject']} {json.loads(alert.value)}"
    assert len(printed) == len(ALERTS) + 3
    assert "{}" not in [line.split(" ", 3)[3] for line in printed]


def test_the_short_reader_is_short() -> None:
    assert len([line for line in READER.splitlines() if line]) <= 10


async def test_the_console_tool_shows_headers_and_values(
    published: str, kafka: str, programs: Programs, tmp_path: Path
) -> None:
    await asyncio.to_thread(install_console_tool, tmp_path / "bin")
    shown = shell(programs, CONSOLE, kafka, published, tmp_path / "bin")
    assert [line.split("\t")[1:] for line in shown] == [[r.key.decode(), r.value.decode()] for r in committed()]
    assert [dict(pair.split(":", 1) for pair in line.split("\t")[0].split(",")) for line in shown] == headers()


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
async def test_kcat_shows_headers_and_values(published: str, kafka: str, programs: Programs, tmp_path: Path) -> None:
    shown = shell(programs, KCAT, kafka, published, tmp_path / "bin")
    assert [line.split("\t")[1:] for line in shown] == [[r.key.decode(), r.value.decode()] for r in committed()]
    assert [dict(pair.split("=", 1) for pair in line.split("\t")[0].split(",")) for line in shown] == headers()


def committed() -> list[Record]:
    """What a reader of committed records gets."""
    first = ALERTS[0]
    again = first._replace(headers=replayed(first.headers))
    return [*ALERTS, again, first.with_header("ce_type", b"com.loyaltystream.yet.to_come"), LAST]


def headers() -> list[dict[str, str]]:
    return [{name: value.decode() for name, value in record.headers} for record in committed()]


def shell(programs: Programs, script: str, kafka: str, topic: str, folder: Path) -> list[str]:
    """What a script of the page prints of all committed records; programs in `folder` are found first."""
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    script = script.replace("loyalty.alerts", topic)
    program = programs.start("shell", "bash", "-c", f"exec {script}", PATH=path, BOOTSTRAP=kafka)
    return lines(program, len(committed()))


def install_console_tool(folder: Path) -> None:
    """`kafka-console-consumer.sh` of the distribution: the class that it runs, on the broker's Java and jars."""
    class_path = f"{console_jar()}{os.pathsep}{kafka_class_path()}"
    java = " ".join([str(java_executable()), *QUICK_START, "-cp", f"'{class_path}'"])
    tool = folder / "kafka-console-consumer.sh"
    folder.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {java} org.apache.kafka.tools.consumer.ConsoleConsumer "$@"\n')
    tool.chmod(0o755)


def console_jar() -> Path:
    """The jar that the embedded broker does without (616 kB), fetched once."""
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=cache_folder() / "tools", remote_repos={"central": MAVEN_CENTRAL_URL})
    component = context.project("org.apache.kafka", "kafka-tools").at_version(KAFKA_VERSION)
    return Path(component.artifact().resolve())
