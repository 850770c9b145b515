"""One server at a time over a data folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path

from stream.errors import ConfigurationError

ORPHAN_SECONDS = 10.0
POLL_SECONDS = 0.02


class FolderLock:
    """A lock file that holds the process id of its owner.

    The lock belongs to the open file, so a child process that inherits `descriptor` keeps it until it has
    ended too, even when its parent was killed: whoever gets the lock has the folder to itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file to pass on to the child that works in the folder."""
        assert self._descriptor is not None, "acquire the lock first"
        return self._descriptor

    async def acquire(self) -> None:
        """Take the lock.

        Where the owner has just been killed, its child is about to end: that is waited for. Raises
        ConfigurationError, naming the folder and the owner, when somebody alive holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            await self._wait_for(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give our hold of the lock up. Harmless when we have none."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + ORPHAN_SECONDS
        while not _locked(descriptor):
            owner = _owner(descriptor)
            if (owner is not None and _alive(owner)) or time.monotonic() >= deadline:
                raise ConfigurationError(
                    f"{self.path.parent} is in use by the process {owner or '(unknown)'}: "
                    f"end that process, or set another data_dir"
                )
            await asyncio.sleep(POLL_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(descriptor: int) -> int | None:
    content = os.pread(descriptor, 32, 0)
    return int(content) if content.isdigit() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
