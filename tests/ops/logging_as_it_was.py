"""Leaves logging as it was found, for tests that configure it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("stream", "producers"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
