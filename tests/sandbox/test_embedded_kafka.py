"""The embedded broker: what it keeps, what it refuses, and that it never outlives its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.errors import ConfigurationError, Unreachable
from stream.sandbox.embedded.broker_files import BrokerFiles
from stream.sandbox.embedded.folder_lock import FolderLock
from stream.sandbox.embedded.jars import kafka_class_path
from stream.sandbox.embedded.metadata import answers_metadata
from stream.sandbox.embedded.ports import LOOPBACK, free_port
from stream.sandbox.kafka import EmbeddedKafka

PARTITION = TopicPartition("kept", 0)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker that writes down often how much of each log is on disk."""
    checkpoints = {"log.flush.offset.checkpoint.interval.ms": "100"}
    embedded = EmbeddedKafka(tmp_path_factory.mktemp("données"), settings=checkpoints)
    asyncio.run(embedded.start())
    yield embedded
    asyncio.run(embedded.stop())


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():
            await asyncio.sleep(0.02)


async def write(bootstrap: str, values: list[bytes]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(PARTITION.topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(PARTITION.topic, value)


async def read(bootstrap: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([PARTITION])
        await consumer.seek_to_beginning(PARTITION)
        return [(await consumer.getone()).value for _ in range(count)]


def on_disk(broker: EmbeddedKafka) -> int:
    """How many records of the partition the broker knows to be on disk."""
    for line in (broker.files.data / "recovery-point-offset-checkpoint").read_text().splitlines():
        if line.startswith(f"{PARTITION.topic} {PARTITION.partition} "):
            return int(line.rsplit(" ", 1)[1])
    return 0


async def test_what_was_written_is_on_disk_soon_and_kept_between_starts_as_are_address_and_cluster(
    broker: EmbeddedKafka,
) -> None:
    before = (broker.bootstrap, (broker.files.data / "meta.properties").read_text())
    await write(broker.bootstrap, [b"1", b"2"])
    await eventually(lambda: on_disk(broker) == 2)

    await broker.stop()
    assert broker.pid is None
    await broker.start()

    assert (broker.bootstrap, (broker.files.data / "meta.properties").read_text()) == before
    assert await read(broker.bootstrap, 2) == [b"1", b"2"]


async def test_a_broker_that_the_system_has_ended_is_there_again_at_the_same_address(
    broker: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    address, ended = broker.bootstrap, broker.pid
    assert ended is not None
    keeping = asyncio.create_task(broker.keep())
    try:
        os.kill(ended, signal.SIGKILL)
        async with asyncio.timeout(60):
            while f"listens on {address}" not in caplog.text:
                await asyncio.sleep(0.1)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    assert broker.pid not in (None, ended)
    assert await read(address, 2) == [b"1", b"2"]


async def test_a_second_broker_over_the_same_folder_is_refused_and_the_first_goes_on(broker: EmbeddedKafka) -> None:
    second = EmbeddedKafka(broker.files.folder.parent)

    with pytest.raises(ConfigurationError, match=rf"{broker.files.folder} is in use by the process {os.getpid()}"):
        await second.start()

    assert second.pid is None
    assert await answers_metadata(broker.bootstrap)


async def test_a_paused_broker_does_not_answer_and_a_resumed_one_does(broker: EmbeddedKafka) -> None:
    broker.pause()
    assert not await answers_metadata(broker.bootstrap)
    broker.resume()
    assert await answers_metadata(broker.bootstrap)


async def test_a_broker_that_ended_by_itself_can_be_started_again(broker: EmbeddedKafka) -> None:
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGTERM)
    await eventually(lambda: broker.pid is None)

    await broker.start()

    assert await answers_metadata(broker.bootstrap)


async def test_the_broker_does_not_hear_the_terminals_ctrl_c(broker: EmbeddedKafka) -> None:
    assert broker.pid is not None
    assert os.getpgid(broker.pid) != os.getpgid(0)


async def test_a_given_port_in_use_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        broker = EmbeddedKafka(tmp_path, port=port)

        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1, wanted for the embedded Kafka"):
            await broker.start()

    await FolderLock(broker.files.lock).acquire()  # nothing was left locked


def test_ports_are_remembered_while_free_and_replaced_when_taken(tmp_path: Path) -> None:
    files = BrokerFiles(tmp_path)
    first = files.identity(None)
    assert files.identity(None) == first

    with socket.create_server((LOOPBACK, first.port)):
        second = files.identity(None)

    assert second.port != first.port
    assert second == msgspec.structs.replace(first, port=second.port)
    assert files.identity(None) == second


async def test_a_broker_that_does_not_start_shows_the_end_of_its_own_log(tmp_path: Path) -> None:
    broker = EmbeddedKafka(tmp_path, settings={"log.retention.ms": "soon"})

    with pytest.raises(Unreachable) as refusal:
        await broker.start()

    assert "Invalid value soon for configuration log.retention.ms" in str(refusal.value)
    assert str(broker.files.folder) in str(refusal.value)
    assert broker.pid is None
    await FolderLock(broker.files.lock).acquire()


OWNER = """
import asyncio, sys, time
from pathlib import Path
from stream.sandbox.kafka import EmbeddedKafka

async def main():
    broker = EmbeddedKafka(Path(sys.argv[1]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_killed_owner_leaves_no_broker_and_a_free_folder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        broker_pid = int(owner.stdout.readline())
        os.kill(broker_pid, signal.SIGSTOP)  # not even a broker that cannot react may stay
        owner.kill()

    asyncio.run(FolderLock(BrokerFiles(tmp_path / "kafka").lock).acquire())  # waits until the broker has let it go

    assert gone(broker_pid)


def gone(pid: int) -> bool:
    """Whether the process has ended; its new parent may take a moment to notice (a zombie has ended)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_kafka_that_cannot_be_fetched_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{LOOPBACK}:{free_port()}")

    with pytest.raises(Unreachable, match=r"set kafka\.bootstrap to a broker that runs elsewhere"):
        kafka_class_path(tmp_path)

    assert not list(tmp_path.glob("kafka-*/")), "half a download must not look like a whole one"
    assert [left for left in tmp_path.iterdir() if left.is_dir()] == []
