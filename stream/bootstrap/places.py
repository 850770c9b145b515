"""Where things are: the data folder's files, and the addresses in `endpoints.json`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from stream.errors import ConfigurationError, Unreachable
from stream.sandbox.embedded.folder_lock import FolderLock
from stream.settings import Configuration

LOCK = "running.lock"


class DataFolder:
    """`data_dir` of a configuration: `kafka/ worker-N/ views.db identity.key endpoints.json logs/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def worker(self, name: str) -> Path:
        """State of one worker."""
        return self.root / f"worker-{name}"

    @property
    def views(self) -> Path:
        """The views file."""
        return self.root / "views.db"

    @property
    def identity_key(self) -> Path:
        """The secret that identities are hashed with."""
        return self.root / "identity.key"

    def log(self, role: str) -> Path:
        """What a role of a process tree logged."""
        return self.root / "logs" / f"{role}.log"

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """While the block runs no other process tree works in this folder.

        Raises ConfigurationError, before anything is touched, when one does.
        """
        lock = FolderLock(self.root / LOCK)
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def empty(self) -> None:
        """Remove everything but the lock."""
        for path in self.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    @property
    def _endpoints(self) -> Path:
        return self.root / "endpoints.json"

    def endpoints(self) -> dict[str, str]:
        """Addresses by name; empty when nothing was started here."""
        try:
            found: dict[str, str] = json.loads(self._endpoints.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def publish(self, **addresses: str) -> None:
        """Add addresses, in one step that readers never see half done."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "endpoints.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # roles start at the same moment: none may undo another's line
            text = json.dumps(self.endpoints() | addresses, indent=2)
            fresh = self._endpoints.with_suffix(f".{os.getpid()}")
            fresh.write_text(text)
            fresh.replace(self._endpoints)

    def forget_endpoints(self) -> None:
        """Nothing runs here any more."""
        self._endpoints.unlink(missing_ok=True)


def folder_of(configuration: Configuration) -> DataFolder:
    """The data folder of a configuration; created when it is missing."""
    root = configuration.data_dir.absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"data_dir {root} cannot be created: {error}") from error
    return DataFolder(root)


def kafka_of(configuration: Configuration) -> str:
    """The broker's address: configured, or that of the embedded one that runs over the data folder."""
    if configuration.kafka.bootstrap is not None:
        return configuration.kafka.bootstrap
    address = folder_of(configuration).endpoints().get("kafka")
    if address is None:
        raise Unreachable(
            f"no Kafka: kafka.bootstrap is not set and nothing runs over {configuration.data_dir}. "
            "Start `loyalty up` (or `loyalty demo`) first, or set kafka.bootstrap."
        )
    return address
