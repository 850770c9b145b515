"""The tree of processes: what a role that cannot be started, or cannot go on, does to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stream.bootstrap.processes import ProcessTree, Role
from stream.errors import ConfigurationError
from tests.producers.waiting import until


async def test_a_role_that_the_system_cannot_start_now_is_started_later(tmp_path: Path) -> None:
    """No memory, no process ids, a full disk: that passes, and then the role must be there again."""
    logs = tmp_path / "logs"
    logs.write_text("not a folder, for now")
    tree = ProcessTree([Role("version", ("--version",), output=logs / "version.log")])
    tree.start()
    try:
        await until(lambda: "logs" in tree.last_words("version"))
        logs.unlink()
        await until(lambda: (logs / "version.log").exists())
        assert not tree.failed.done()
    finally:
        await tree.stop()


@pytest.mark.parametrize("needed", [True, False])
async def test_a_role_that_cannot_be_configured_ends_the_tree_only_when_it_is_needed(
    tmp_path: Path, needed: bool
) -> None:
    """Points must go on while an export has lost its credentials."""
    role = Role("odd", ("no-such-command",), output=tmp_path / "odd.log", needed=needed)
    tree = ProcessTree([role])
    with capture_logs() as logged:
        tree.start()
        try:
            await until(lambda: logged or tree.failed.done())
            assert tree.failed.done() is needed
            if needed:
                with pytest.raises(ConfigurationError, match="odd cannot start"):
                    await tree.failed
            else:
                assert [(entry["role"], entry["exit"], entry["after_seconds"]) for entry in logged] == [
                    ("odd", 2, 60.0)
                ]
        finally:
            await tree.stop()
