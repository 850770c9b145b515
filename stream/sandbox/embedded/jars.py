"""Apache Kafka's own jars, fetched once from Maven Central into the user's cache folder."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import Unreachable

log = logging.getLogger(__name__)

KAFKA_VERSION = "4.1.2"
"""Not older: CVE-2026-33557."""

KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
LOG_BACKEND = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"
"""Kafka logs through SLF4J 1.7 and comes without a backend for it; this is log4j's, of Kafka's log4j version."""


def cache_folder() -> Path:
    """Where downloads are kept: `loyalty-stream` in the user's cache folder ($XDG_CACHE_HOME or ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loyalty-stream"


def kafka_class_path(cache: Path | None = None) -> str:
    """Java's class path for the broker; blocks while 44 MB are fetched the first time.

    Raises Unreachable when they can be neither found in the cache nor fetched.
    """
    folder = (cache or cache_folder()) / f"kafka-{KAFKA_VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder.with_suffix(".lock")):
            if not folder.is_dir():  # another process may have fetched them while we waited
                _fetch(folder)
    return f"{folder}/*"


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    """Fetch into a temporary folder and rename it: what is found under the final name is complete."""
    log.info("fetching Apache Kafka %s into %s (44 MB, once)", KAFKA_VERSION, folder)
    staging = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    try:
        jars = staging / "jars"
        jars.mkdir()
        # Resolved apart: together, the backend's dependency management would choose Kafka's versions.
        for jar in [*_resolve(KAFKA, staging), *_backend(_resolve(LOG_BACKEND, staging))]:
            shutil.copy(jar, jars / jar.name)
        jars.rename(folder)
    except Exception as error:
        raise Unreachable(
            f"Apache Kafka {KAFKA_VERSION} could not be fetched from Maven Central ({error}). It is needed once: "
            f"try again with network access, or set kafka.bootstrap to a broker that runs elsewhere"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _resolve(coordinates: str, staging: Path) -> list[Path]:
    from jgo.constants import MAVEN_CENTRAL_URL  # jgo and what it imports take longer than all else here
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    # A repository of our own: an interrupted download leaves half a jar, which jgo would take for a whole one.
    context = MavenContext(repo_cache=staging / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
    environment = EnvironmentBuilder(context=context, cache_dir=staging).from_endpoint(coordinates)
    return sorted(Path(environment.path).rglob("*.jar"))


def _backend(jars: list[Path]) -> list[Path]:
    """The backend itself; what it depends on comes with Kafka."""
    return [jar for jar in jars if jar.name.startswith("log4j-slf4j-impl")]
