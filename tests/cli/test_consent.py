"""Ctrl-C where a command asks."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from stream.cli.app import app
from tests.cli.recorded import Recorded
from tests.cli.test_desk_commands import CHANGE
app(["org", "go-live", "--config", "loyalty.toml"], obj=Recorded(answers={"mode_change": CHANGE}))
"""


def test_ctrl_c_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "loyalty.toml").write_text('[[org]]\nid = "brand_example"\n')
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{PROGRAM}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    said = b""
    while not said.endswith(b"[y/N] ") and (more := process.stderr.read(1)):
        said += more
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()
