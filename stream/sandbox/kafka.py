"""The embedded Kafka: a real Apache Kafka broker as a child process, from packages alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.errors import ConfigurationError, LoyaltyError, Unreachable
from stream.sandbox.embedded.broker_files import BrokerFiles, Identity
from stream.sandbox.embedded.folder_lock import FolderLock
from stream.sandbox.embedded.jars import KAFKA_VERSION, kafka_class_path
from stream.sandbox.embedded.java import STOP_SECONDS, JavaProcess
from stream.sandbox.embedded.log_tail import LogTail
from stream.sandbox.embedded.metadata import answers_metadata
from stream.sandbox.embedded.ports import LOOPBACK, is_free

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
FORMAT_SECONDS = 60.0
POLL_SECONDS = 0.05
LOOK_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
PORT_ATTEMPTS = 3
PORT_TAKEN = ("Address already in use", "BindException")


class EmbeddedKafka:
    """One broker over `data_dir`/kafka, for as long as this process lives.

    Cluster id, port and data are kept between starts; what was written is forced to disk every second. The
    broker listens on 127.0.0.1 only, ends with the process that started it (even one killed with SIGKILL) and
    ignores the terminal's Ctrl-C, so that it can be stopped after its clients. It ends with the *thread* that
    awaited `start`, too: that must be one that stays, such as the main thread.

    `port`: listen there, or fail; by default the port of the last start, or another when that is taken.
    `heap`: Java's maximum heap, such as `512m`.
    `settings`: broker settings (as in Kafka's `server.properties`) that differ from ours.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        heap: str = "512m",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.files = BrokerFiles((data_dir / "kafka").absolute())
        self._port = port
        self._heap = heap
        self._settings = dict(settings or {})
        self._lock = FolderLock(self.files.lock)
        self._identity: Identity | None = None
        self._process: JavaProcess | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`; known from the first start on."""
        assert self._identity is not None, "start the broker first"
        return f"{LOOPBACK}:{self._identity.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs, else None."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the broker and return when it has answered a metadata request.

        Raises ConfigurationError when the folder or the given port is in use, Unreachable with the end of the
        broker's log when it does not become ready, or when Kafka cannot be fetched. Nothing runs afterwards then.
        """
        if self.pid is not None:
            return
        self._lock.release()  # still ours when the last broker ended by itself
        class_path = await asyncio.to_thread(kafka_class_path)
        await self._lock.acquire()
        try:
            await self._start(class_path)
        except BaseException:
            self.kill()
            raise

    async def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Shut the broker down cleanly; after `timeout_seconds` by force. Harmless when it does not run."""
        if self._process is not None:
            await self._process.stop(timeout_seconds)
        self._lock.release()

    async def keep(self) -> None:
        """Start the broker again, at the address that its clients know, whenever it has ended by itself: the system
        may have taken its memory, or its disk have been full. Runs until cancelled."""
        assert self._identity is not None, "start the broker first"
        self._port = self._identity.port
        wait_seconds = LOOK_SECONDS
        while True:
            await asyncio.sleep(wait_seconds)
            if self.pid is not None:
                wait_seconds = LOOK_SECONDS
                continue
            log.warning("the embedded Kafka has ended by itself and is started again")
            try:
                await self.start()
            except (LoyaltyError, OSError) as error:
                wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
                log.error("the embedded Kafka did not start, trying again in %.0f s: %s", wait_seconds, error)

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
        self._lock.release()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open, nothing answers."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Let the broker go on after `pause`."""
        if self._process is not None:
            self._process.resume()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self, class_path: str) -> None:
        if self._port is not None and not is_free(self._port):
            raise ConfigurationError(
                f"port {self._port} on {LOOPBACK}, wanted for the embedded Kafka, is in use: "
                f"end the program that listens there, or give another port"
            )
        tail = LogTail(self.files.log, self.files.output)
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._identity = self.files.identity(self._port)
            self.files.write(self._identity, self._settings)
            if not self.files.formatted:
                await self._format(class_path, tail)
            self._process = self._java(class_path, "kafka.Kafka", self.files.properties.name)
            if await self._ready(self._process):
                log.info("Apache Kafka %s listens on %s", KAFKA_VERSION, self.bootstrap)
                return
            # A port that was free when we looked may be taken when the broker binds it.
            if attempt == PORT_ATTEMPTS or self._port is not None or not tail.mentions(PORT_TAKEN):
                break
        raise self._failure("did not become ready", tail)

    async def _format(self, class_path: str, tail: LogTail) -> None:
        assert self._identity is not None
        arguments = ("format", "-t", self._identity.cluster_id, "-c", self.files.properties.name)
        self._process = self._java(class_path, "kafka.tools.StorageTool", *arguments)
        if not await self._process.ended(FORMAT_SECONDS) or self._process.exit_code != 0:
            raise self._failure("could not prepare its data folder", tail)

    def _java(self, class_path: str, program: str, *arguments: str) -> JavaProcess:
        logging_option = f"-Dlog4j2.configurationFile={self.files.logging.name}"
        process = JavaProcess(
            [f"-Xmx{self._heap}", logging_option, "-cp", class_path, program, *arguments], output=self.files.output
        )
        process.start(keep_open=[self._lock.descriptor])
        return process

    async def _ready(self, process: JavaProcess) -> bool:
        """Wait until it answers; False when it ended or took too long, and then it runs no more."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while process.pid is not None:
                    if await answers_metadata(self.bootstrap):
                        return True
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            process.kill()
        return False

    def _failure(self, what: str, tail: LogTail) -> LoyaltyError:
        code = self._process.exit_code if self._process is not None else None
        ended = f" and ended with exit code {code}" if code is not None and code >= 0 else ""
        return Unreachable(
            f"the embedded Kafka in {self.files.folder} {what}{ended}. The end of its log:\n"
            f"{tail.text()}\n"
            f"Correct what it names (all of it is in {self.files.log}), use another data_dir, "
            f"or set kafka.bootstrap to a broker that runs elsewhere."
        )
