"""The name under which a process is a member of the producers' group.

A restart under the same name is no rebalance; two processes under one name would throw each other out. So a name
belongs to a file in the data folder that one process at a time holds: whoever comes back finds its name free, whoever
comes beside takes the next.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from stream.errors import ConfigurationError

MOST_BESIDE_EACH_OTHER = 100


class Membership:
    """The first name in `folder` that nobody uses, ours until `release` or the end of the process.

    Raises ConfigurationError when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        for number in range(1, MOST_BESIDE_EACH_OTHER + 1):
            path = folder / f"poll-{number}.member"
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise ConfigurationError(f"{path} cannot be written: {error.strerror}. Correct data_dir.") from error
            if _locked(descriptor):
                self._descriptor: int | None = descriptor
                self.name = _name_in(descriptor)
                return
            os.close(descriptor)
        raise ConfigurationError(f"{MOST_BESIDE_EACH_OTHER} processes poll from {folder}: end some, or set data_dir")

    def release(self) -> None:
        """Let the name go. Harmless when it has been."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _name_in(descriptor: int) -> str:
    """What the file says; what is drawn for it when it is new."""
    token = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip()
    if not token.isalnum():
        token = secrets.token_hex(8)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, token.encode(), 0)
    return f"poll-{token}"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
