"""A tree of processes: each role a child, restarted when it ends, stopped together.

Children die with this process, however it dies, and do not see the terminal's Ctrl-C: they are asked to stop
in an order, so that what they depend on outlives them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from stream.bootstrap.last_words import NOTHING, LastWords
from stream.errors import ConfigurationError
from stream.sandbox.embedded import die_with_parent

log = structlog.get_logger(__name__)

STOP_SECONDS = 15.0
FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 10.0
SETTLED_SECONDS = 30.0
"""A role that ran this long starts with the shortest wait again."""
HOPELESS_EXIT = 2
"""Configuration or usage: starting again would not help."""
HOPELESS_SECONDS = 60.0
"""When it is tried again all the same, by a role that nobody else needs: somebody may put right what it says."""


@dataclass
class Role:
    """A child: `loyalty` with `arguments`. `output` takes what it logs; None: our own stderr. `needed`: the tree fails
    when it cannot be configured."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    needed: bool = True


class ProcessTree:
    """Runs roles until `stop`. `failed` is set with the reason when one of them cannot go on."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self._roles = roles
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, LastWords] = {}
        self._unstarted: dict[str, str] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Start every role and keep it running."""
        for role in self._roles:
            self._keepers.append(asyncio.create_task(self._keep(role), name=role.name))

    def pid(self, name: str) -> int | None:
        """The process id of a role while it runs."""
        child = self._children.get(name)
        return child.pid if child is not None and child.poll() is None else None

    def last_words(self, name: str) -> str:
        """What a role said last that tells what is wrong with it."""
        if (trouble := self._unstarted.get(name)) is not None:
            return trouble
        return self._said[name].text() if name in self._said else NOTHING

    async def stop(self) -> None:
        """Ask all to stop, wait, insist."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        await asyncio.gather(*(_ended(name, child) for name, child in self._children.items()))
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    async def _keep(self, role: Role) -> None:
        wait = FIRST_RESTART_SECONDS
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            try:
                said = self._said[role.name] = LastWords(role.output)
                child = self._children[role.name] = _spawn(role)
            except OSError as error:  # no memory, no process ids, a full disk: it passes, or people put it right
                wait = await self._later(role, str(error), wait)
                continue
            self._unstarted.pop(role.name, None)
            code = await _exit_code(child)
            if self._stopping:
                return
            if code == HOPELESS_EXIT and role.needed:
                self._give_up(role, said)
                return
            if code == HOPELESS_EXIT:
                wait = HOPELESS_SECONDS
            elif asyncio.get_running_loop().time() - began > SETTLED_SECONDS:
                wait = FIRST_RESTART_SECONDS
            log.warning(
                "a role ended and is started again", role=role.name, exit=code, after_seconds=wait, said=said.text()
            )
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_RESTART_SECONDS)

    async def _later(self, role: Role, error: str, wait: float) -> float:
        self._unstarted[role.name] = error
        log.warning("a role cannot be started, trying again", role=role.name, error=error, after_seconds=wait)
        await asyncio.sleep(wait)
        return min(wait * 2, LONGEST_RESTART_SECONDS)

    def _give_up(self, role: Role, said: LastWords) -> None:
        if not self.failed.done():
            where = f"\nAll of it is in {role.output}." if role.output else ""
            self.failed.set_exception(ConfigurationError(f"{role.name} cannot start: {said.text()}{where}"))


def _spawn(role: Role) -> subprocess.Popen[bytes]:
    wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
    command = [*wrapper, sys.executable, "-m", "stream.cli", *role.arguments]
    environment = os.environ | dict(role.environment)
    if role.output is None:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    role.output.parent.mkdir(parents=True, exist_ok=True)
    with role.output.open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def _exit_code(child: subprocess.Popen[bytes]) -> int:
    while (code := child.poll()) is None:
        await asyncio.sleep(0.05)
    return code


async def _ended(name: str, child: subprocess.Popen[bytes]) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await _exit_code(child)
    except TimeoutError:
        log.warning("a role had to be killed", role=name, after_seconds=STOP_SECONDS)
        child.kill()
        await _exit_code(child)
