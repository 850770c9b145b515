"""The files of the embedded broker: `kafka/` in the data folder."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream.sandbox.embedded.ports import LOOPBACK, free_port, is_free

MEBIBYTE = 1024 * 1024


class Identity(msgspec.Struct, frozen=True):
    """What a broker keeps from start to start, in `broker.json`."""

    cluster_id: str
    """16 bytes in URL-safe base64 without padding."""
    port: int
    controller_port: int


def new_cluster_id() -> str:
    while True:
        encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not encoded.startswith("-"):  # Kafka's tools would take it for an option
            return encoded


@dataclass(frozen=True)
class BrokerFiles:
    """Names and contents of the files below `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def logging(self) -> Path:
        return self.folder / "log4j2.properties"

    @property
    def log(self) -> Path:
        """The broker's own log, at most 4 × 10 MB with its predecessors."""
        return self.folder / "broker.log"

    @property
    def output(self) -> Path:
        """What the JVM itself printed since the last start."""
        return self.folder / "broker.out"

    @property
    def lock(self) -> Path:
        return self.folder / "broker.lock"

    @property
    def formatted(self) -> bool:
        return (self.data / "meta.properties").exists()

    def identity(self, port: int | None) -> Identity:
        """The broker's identity for this start, remembered for the next: `port` if given, else the last ones
        where they are free, else others."""
        file = self.folder / "broker.json"
        last = msgspec.json.decode(file.read_bytes(), type=Identity) if file.exists() else None
        identity = Identity(
            cluster_id=last.cluster_id if last else new_cluster_id(),
            port=port or _same_or_other(last.port if last else None),
            controller_port=_same_or_other(last.controller_port if last else None),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(identity))
        return identity

    def write(self, identity: Identity, overrides: Mapping[str, str]) -> None:
        """Write the configuration for one start.

        Paths in it are relative to `folder`, where the broker runs: Java reads property files as Latin-1.
        """
        settings = {**server_settings(identity), "log.dirs": self.data.name, **overrides}
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.logging.write_text(LOGGING.format(log=self.log.name))


def _same_or_other(port: int | None) -> int:
    return port if port is not None and is_free(port) else free_port()


def server_settings(identity: Identity) -> dict[str, str]:
    """One node that is broker and controller, reachable from this machine only.

    Every second what was written is forced to disk, so a power cut costs at most about that
    (`log.flush.interval.ms` alone does nothing: the scheduler that looks after it never runs by default, and
    otherwise only from 30 s after the start).
    """
    client, controller = f"{LOOPBACK}:{identity.port}", f"{LOOPBACK}:{identity.controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{client}",
        "controller.listener.names": "CONTROLLER",
        "log.flush.interval.ms": "1000",
        "log.flush.scheduler.interval.ms": "1000",
        "log.initial.task.delay.ms": "1000",
        "log.flush.offset.checkpoint.interval.ms": "5000",
        # After a crash the controller refuses the new broker until the session of the old one has run out.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "offsets.retention.minutes": str(30 * 24 * 60),
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "8",
        "message.max.bytes": str(10 * MEBIBYTE),
        "log.cleaner.dedupe.buffer.size": str(32 * MEBIBYTE),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "auto.leader.rebalance.enable": "false",
    }


LOGGING = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={log}
appender.file.filePattern={log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{ISO8601}} %-5p %m (%c{{1}})%n%ex{{full}}
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=3
logger.config.name=org.apache.kafka.common.config
logger.config.level=warn
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
"""
