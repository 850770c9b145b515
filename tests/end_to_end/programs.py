"""Programs of ours as processes of their own, as a user or a machine runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

LOYALTY = (sys.executable, "-m", "stream.cli")
ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The answer; the command must have succeeded."""
        assert self.code == 0, self
        return json.loads(self.out)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a user has, and nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(more or {})


def loyalty(*words: str, folder: Path, seconds: float = 60, more: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [*LOYALTY, *words], cwd=folder, env=environment(more), capture_output=True, text=True, timeout=seconds
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Program:
    """A program that runs until it is told to stop, and what it prints."""

    def __init__(self, *command: str, folder: Path, more: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._out = folder / f"{len(list(folder.iterdir()))}.out"
        self._err = self._out.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=folder, env=environment(more), stdout=out, stderr=err)

    @property
    def out(self) -> str:
        """What it printed on stdout so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it printed on stderr so far."""
        return self._err.read_text()

    @property
    def children(self) -> dict[int, str]:
        """Command lines of all processes below it, by process id."""
        return dict(below(self.process.pid))

    def child(self, words: str) -> int | None:
        """The process id of a descendant with these words in its command line."""
        return next((pid for pid, line in self.children.items() if words in line), None)

    def ended(self, seconds: float = 30) -> Ended:
        """Wait for its end."""
        code = self.process.wait(seconds)
        return Ended(code, self.out, self.err)

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 30) -> Ended:
        """Tell it to end, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended(seconds)

    def until(self, holds: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something holds while the program runs."""
        eventually(lambda: self.process.poll() is not None or holds(), seconds, lambda: self.err)
        assert self.process.poll() is None, self.ended()


def eventually(holds: Callable[[], object], seconds: float = 60, why: Callable[[], str] = lambda: "") -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s\n{why()}"
        time.sleep(0.05)


def below(parent: int) -> Iterator[tuple[int, str]]:
    """Every living descendant of a process, with its command line."""
    for pid, its_parent in _parents():
        if its_parent == parent:
            yield pid, _command_line(pid)
            yield from below(pid)


def alive(pid: int) -> bool:
    """Whether it runs: one that only waits to be collected does not."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                state, parent = _stat(int(path.name))[:2]
            except OSError:
                continue
            if state != "Z":
                yield int(path.name), int(parent)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
