"""The tree of processes: what a role that cannot be started does to it."""

from __future__ import annotations

from pathlib import Path

from stream.bootstrap.processes import ProcessTree, Role
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
