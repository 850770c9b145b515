"""The Firestore emulator: which one is taken, and how it starts and ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stream.errors import Unreachable
from stream.sandbox.docker import engine_answers
from stream.sandbox.embedded.ports import LOOPBACK, free_port
from stream.sandbox.firestore import (
    HOW_TO_GET_IT,
    CloudCliEmulator,
    GivenEmulator,
    cloud_cli_jar,
    find_emulator,
)


def test_an_emulator_that_runs_already_comes_first(tmp_path: Path) -> None:
    found = find_emulator(tmp_path, {"FIRESTORE_EMULATOR_HOST": "firestore:8080"})

    assert isinstance(found, GivenEmulator)
    assert found.host == "firestore:8080"


async def test_a_given_emulator_is_used_and_left_running(firestore_emulator: str) -> None:
    async with GivenEmulator(firestore_emulator) as first:
        pass
    async with GivenEmulator(firestore_emulator) as second:
        assert first.host == second.host == firestore_emulator


async def test_a_given_emulator_that_does_not_answer_is_an_error_that_names_the_variable() -> None:
    host = f"{LOOPBACK}:{free_port()}"

    with pytest.raises(Unreachable, match=f"FIRESTORE_EMULATOR_HOST={host}"):
        await GivenEmulator(host).start()


@pytest.mark.skipif(engine_answers(), reason="a Docker engine can provide an emulator here")
def test_without_any_source_there_is_no_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_emulator(tmp_path, {}) is None


@pytest.mark.parametrize(
    ("gcloud", "because"),
    [
        ("#!/bin/sh\nexit 1\n", "a Google Cloud CLI that fails"),
        ("#!/bin/sh\necho /nowhere\n", "a Google Cloud CLI without the emulator"),
    ],
)
def test_a_cloud_cli_without_the_emulator_is_no_source(
    gcloud: str, because: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gcloud"
    program.write_text(gcloud)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert cloud_cli_jar() is None, because


@pytest.mark.skipif(shutil.which("gcloud") is None, reason=HOW_TO_GET_IT)
async def test_the_cloud_clis_emulator_answers_once_started_and_ends_when_stopped(tmp_path: Path) -> None:
    jar = cloud_cli_jar()
    if jar is None:
        pytest.skip(HOW_TO_GET_IT)
    async with CloudCliEmulator(jar, tmp_path, heap="128m") as emulator:
        await GivenEmulator(emulator.host).start()
        assert emulator.pid is not None
        assert os.getpgid(emulator.pid) != os.getpgid(0)

    assert emulator.pid is None
    with pytest.raises(Unreachable):
        await GivenEmulator(emulator.host).start()


async def test_an_emulator_that_does_not_start_shows_what_it_printed(tmp_path: Path) -> None:
    emulator = CloudCliEmulator(tmp_path / "missing.jar", tmp_path)

    with pytest.raises(Unreachable, match="Could not find or load main class"):
        await emulator.start()

    assert emulator.pid is None
