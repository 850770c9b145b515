"""The Firestore emulator: Google's own, from wherever this machine can get it."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from stream.errors import Unreachable
from stream.sandbox.docker import engine_answers
from stream.sandbox.embedded.java import JavaProcess
from stream.sandbox.embedded.log_tail import LogTail
from stream.sandbox.embedded.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

log = logging.getLogger(__name__)

HOST_VARIABLE = "FIRESTORE_EMULATOR_HOST"
"""Where an emulator runs already, `host:port`: the name Google's clients use."""

HOW_TO_GET_IT = (
    f"no Firestore emulator: set {HOST_VARIABLE}=host:port, start Docker, or install the Google Cloud CLI "
    f"and `gcloud components install cloud-firestore-emulator` (apt: google-cloud-cli-firestore-emulator)"
)

IMAGE = "google/cloud-sdk:emulators"
CONTAINER_PORT = 8080
MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
JAR_IN_SDK = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")

READY_SECONDS = 60.0
POLL_SECONDS = 0.05


class FirestoreEmulator(ABC):
    """A Firestore emulator that can be started and stopped. Its data ends with it.

    Data is apart by project id: give each test a project of its own.
    """

    @property
    @abstractmethod
    def host(self) -> str:
        """`host:port`, for FIRESTORE_EMULATOR_HOST; known once started."""

    @abstractmethod
    async def start(self) -> None:
        """Start it and return when it answers. Raises Unreachable when it does not."""

    @abstractmethod
    async def stop(self) -> None:
        """End it. Harmless when it does not run."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class GivenEmulator(FirestoreEmulator):
    """One that somebody else runs at `host` (host:port): it is only looked for."""

    def __init__(self, host: str) -> None:
        self._host = host

    @property
    def host(self) -> str:
        return self._host

    async def start(self) -> None:
        if not await _answers(self._host):
            raise Unreachable(f"no Firestore emulator answers at {HOST_VARIABLE}={self._host}: start it, or unset it")

    async def stop(self) -> None:
        """Leave it running: it is not ours."""


class CloudCliEmulator(FirestoreEmulator):
    """The emulator of an installed Google Cloud CLI, run with our own Java runtime; logs into `folder`.

    Its memory grows with every write, up to `heap`.
    """

    def __init__(self, jar: Path, folder: Path, *, heap: str = "512m") -> None:
        self._port = free_port()
        arguments = [f"-Xmx{heap}", "-cp", str(jar), MAIN_CLASS, "--host", LOOPBACK, "--port", str(self._port)]
        self._process = JavaProcess(arguments, output=folder.absolute() / "emulator.log")

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs, else None."""
        return self._process.pid

    async def start(self) -> None:
        if self._process.pid is not None:
            return
        self._process.start()
        try:
            if not await _ready(lambda: _answers(self.host), lambda: self._process.pid is not None):
                raise self._failure()
        except BaseException:
            self._process.kill()
            raise
        log.info("the Firestore emulator listens on %s", self.host)

    async def stop(self) -> None:
        await self._process.stop()

    def _failure(self) -> Unreachable:
        output = self._process.output
        tail = LogTail(output.with_name("none"), output).text()
        return Unreachable(f"the Firestore emulator did not become ready. The end of its log ({output}):\n{tail}")


class DockerEmulator(FirestoreEmulator):
    """The emulator in a container."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._container: DockerContainer | None = None

    @property
    def host(self) -> str:
        assert self._host is not None, "start the emulator first"
        return self._host

    async def start(self) -> None:
        if self._container is None:
            await asyncio.to_thread(self._run)
        if not await _ready(lambda: _answers(self.host), lambda: self._container is not None):
            await self.stop()
            raise Unreachable(f"the Firestore emulator in a container of {IMAGE} did not become ready")

    async def stop(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            await asyncio.to_thread(container.stop)

    def _run(self) -> None:
        from testcontainers.core.container import DockerContainer

        command = f"gcloud emulators firestore start --host-port=0.0.0.0:{CONTAINER_PORT}"
        container = DockerContainer(IMAGE).with_command(command).with_exposed_ports(CONTAINER_PORT)
        container.start()
        self._container = container
        self._host = f"{container.get_container_host_ip()}:{container.get_exposed_port(CONTAINER_PORT)}"


def find_emulator(folder: Path, environment: Mapping[str, str] = os.environ) -> FirestoreEmulator | None:
    """The emulator to use here, not yet started, or None where there is none (then say HOW_TO_GET_IT).

    In this order: one that runs already ($FIRESTORE_EMULATOR_HOST), Docker, an installed Google Cloud CLI.
    `folder` is for its log. Blocks for about a second: the Google Cloud CLI is slow to answer.
    """
    if host := environment.get(HOST_VARIABLE):
        return GivenEmulator(host)
    if engine_answers():
        return DockerEmulator()
    jar = cloud_cli_jar()
    return CloudCliEmulator(jar, folder) if jar is not None else None


def cloud_cli_jar() -> Path | None:
    """The emulator's jar in the Google Cloud CLI that is on the PATH, or None."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        log.warning("the Google Cloud CLI does not say where it is installed: %s", error)
        return None
    jar = Path(answer.stdout.strip()) / JAR_IN_SDK
    return jar if jar.is_file() else None


async def _answers(host: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            return (await client.get(f"http://{host}/")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def _ready(answers: Callable[[], Awaitable[bool]], runs: Callable[[], bool]) -> bool:
    """Poll until it answers; False when it does not run any more or took too long."""
    deadline = time.monotonic() + READY_SECONDS
    while runs() and time.monotonic() < deadline:
        if await answers():
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False
