"""The views' file: opened for writing by one process, for reading by any."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

import structlog

from stream.errors import ConfigurationError, Unreachable
from stream.sinks.views.schema import SCHEMA_VERSION, TABLES

log = structlog.get_logger(__name__)

BUSY_SECONDS = 10.0
CACHE_KIB = 64 << 10


class WriterLock:
    """Held by the one process that writes a views file; the system lets go of it when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises ConfigurationError when another writer has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise ConfigurationError(
                f"the views file beside {self._path} is being written by another process (id {holder}): "
                "end that one, or give this one a data_dir of its own."
            ) from error
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Let go. Harmless when it is not held. The lock file stays: removing it would race with a new holder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The file with the tables of this version; one of another version, or a broken one, is replaced by an empty one.

    The caller holds the `WriterLock`. The file may hold personal data: only its owner may read it.
    """
    connection = _open_current(path)
    if connection is None:
        discard(path)
        connection = _open_current(path)
    if connection is None:
        raise ConfigurationError(f"the views file {path} cannot be created: make its folder writable.")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises Unreachable when there is no views file of this version yet."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        version = _version(connection)
    except sqlite3.DatabaseError as error:
        raise Unreachable(f"there are no views at {path} ({error}): start `loyalty web` or `loyalty up`.") from error
    if version != SCHEMA_VERSION:
        connection.close()
        raise Unreachable(
            f"the views at {path} are of version {version}, this program reads {SCHEMA_VERSION}: "
            "restart `loyalty web` or `loyalty up` with this version."
        )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open_current(path: Path) -> sqlite3.Connection | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # One thread at a time uses it: the follower's, whichever that is.
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if _version(connection) == 0 and _empty(connection):
            _create(connection)
        if _version(connection) == SCHEMA_VERSION:
            _tune(connection)
            return connection
    except sqlite3.DatabaseError as error:
        log.warning("views: the file cannot be used", error=str(error))
    connection.close()
    return None


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may take the last commits, rows and positions together: they are read again from the log.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _empty(connection: sqlite3.Connection) -> bool:
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return tables == 0


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether it says that the file is not what was written into it."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def discard(path: Path) -> None:
    """Remove the file: the log has everything that is in it. The caller holds the `WriterLock`."""
    log.warning("views: the file is of another version or damaged: it is removed, to be built anew from the log")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
