"""The real services that tests use, started when the first test asks for them.

Kafka, in this order: LOYALTY_TEST_KAFKA=host:port; a container where a Docker engine answers; the embedded
broker. The Firestore emulator: see `stream.sandbox.firestore.find_emulator`; without one its tests skip,
except with CI=true, where everything must be there.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stream.sandbox.docker import engine_answers
from stream.sandbox.firestore import HOW_TO_GET_IT, find_emulator
from stream.sandbox.kafka import EmbeddedKafka

KAFKA_VARIABLE = "LOYALTY_TEST_KAFKA"

LONG_SUITES = {
    "sim": "the whole system on an in-memory log with virtual time, over many seeds (make sim)",
    "chaos": "processes killed, paused and cut off, many times (make chaos)",
    "soak": "hours of load in which nothing may grow (make soak)",
}


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in LONG_SUITES.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fold all tests that lack the emulator into one line: pytest would print one for each."""
    report = yield
    if isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(HOW_TO_GET_IT):
        report.longrepr = (__file__, None, HOW_TO_GET_IT)  # type: ignore[assignment]  # None: no line to show
    return report


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that all tests share: keep to topics under `topic_prefix`, and to own group ids."""
    if given := os.environ.get(KAFKA_VARIABLE):
        yield given
    elif engine_answers():
        yield from _kafka_in_docker()
    else:
        yield from _embedded_kafka(tmp_path_factory.mktemp("data"))


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for the test's own topics, groups and transactional ids."""
    return f"t-{uuid.uuid4().hex[:12]}."


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a Firestore emulator that all tests share: keep to the project `firestore_project`."""
    emulator = find_emulator(tmp_path_factory.mktemp("firestore"))
    if emulator is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET_IT, pytrace=False)
        pytest.skip(HOW_TO_GET_IT)
    _run(emulator.start())
    yield emulator.host
    _run(emulator.stop())


@pytest.fixture
def firestore_project(firestore_emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project of the test's own in the emulator, to which Google's clients go while the test runs."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    return f"t-{uuid.uuid4().hex[:12]}"


_elsewhere = ThreadPoolExecutor(1)
"""One thread for as long as the tests run: the services end with the thread that started them."""


def _run(what: Coroutine[Any, Any, Any]) -> None:
    """Not on this thread: an asynchronous fixture that asks for a service has a loop running already."""
    _elsewhere.submit(asyncio.run, what).result()


def _embedded_kafka(data_dir: Path) -> Iterator[str]:
    broker = EmbeddedKafka(data_dir)
    _run(broker.start())
    yield broker.bootstrap
    _run(broker.stop())


def _kafka_in_docker() -> Iterator[str]:
    from testcontainers.kafka import KafkaContainer

    container = KafkaContainer().with_kraft()
    for name, value in {
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_MESSAGE_MAX_BYTES": str(10 * 1024 * 1024),
    }.items():
        container.with_env(name, value)
    with container:
        yield container.get_bootstrap_server()
