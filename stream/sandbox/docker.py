"""Containers, where a Docker engine answers. Needs testcontainers (a development dependency)."""

from __future__ import annotations

import importlib.util
import logging

log = logging.getLogger(__name__)


def engine_answers() -> bool:
    """Whether containers can be run here: testcontainers is installed and a Docker engine answers it."""
    if importlib.util.find_spec("testcontainers") is None:
        return False
    from testcontainers.core.docker_client import DockerClient  # looks for an engine's socket when imported

    try:
        return bool(DockerClient(timeout=5).client.ping())
    except Exception as error:  # no socket, no permission, no answer: whatever it is, there is no engine for us
        log.debug("no Docker engine: %s", error)
        return False
