"""Telling whoever runs a long suite how it is going, past pytest's capture of output."""

from __future__ import annotations

import contextlib

import pytest


def say(config: pytest.Config, line: str) -> None:
    """Print a line of its own, and so into the report."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if terminal is None:
        return
    with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
        terminal.ensure_newline()
        terminal.write_line(line)
        terminal.flush()
