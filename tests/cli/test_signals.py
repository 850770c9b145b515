"""Ctrl-C and SIGTERM, on real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
from stream.cli.app import app

class Waiting:
    async def wait(self, *_, **__):
        print("started", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("cleaned up", flush=True)
    poll = sync = wait

app(sys.argv[1:], obj=Waiting())
"""


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        ("poll", signal.SIGINT, 130),
        ("sync", signal.SIGINT, 130),
        ("poll", signal.SIGTERM, 0),
        ("sync", signal.SIGTERM, 1),
    ],
)
def test_a_stop_is_clean_and_tells_a_role_that_ends_well_from_work_that_was_cut_off(
    command: str, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "loyalty.toml").write_text('[[org]]\nid = "a"')
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "cleaned up\n"), err
    assert "Traceback" not in err


def test_help_does_not_wait_for_what_only_commands_need() -> None:
    code = (
        "import sys\n"
        "from stream.cli.app import app\n"
        "app(['sync', '--help'], standalone_mode=False)\n"
        "assert not {'faust', 'aiokafka', 'google.cloud.firestore', 'fastapi'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(__file__).parents[2])
