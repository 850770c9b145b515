"""One command from its options to its exit code: load, set up logging, run, turn a failure into words."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Never, TypeVar

import typer
import uvloop

from stream.cli.entry_points import EntryPoints, bootstrap
from stream.cli.exits import Exit, exit_of, message_of
from stream.configuration import load, org_of
from stream.ops.logging import configure_logging, secrets_of
from stream.ops.redaction import Redaction
from stream.settings import Configuration

Answer = TypeVar("Answer")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration file (default: LOYALTY_CONFIG, ./loyalty.toml)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON on stdout.")]
JsonLogsOption = Annotated[bool, typer.Option("--json", help="Log JSON, whatever log_format says.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Log more, and show a failure's traceback.")]
OrgOption = Annotated[
    str | None, typer.Option("--org", metavar="ID", help="The org (default: the only one configured).")
]


def chosen(configuration: Configuration, org: str | None) -> str:
    """The org that a command is about. Without orgs in the configuration (a demo's data) it must be named."""
    return org if org and not configuration.orgs else org_of(configuration, org).id


@dataclass(frozen=True)
class Invocation:
    """A command as it was called. `points`: what carries it out, for a test; else the real bootstrap."""

    command: str
    config: Path | None = None
    debug: bool = False
    points: EntryPoints | None = None
    json_logs: bool = False
    ends_by_itself: bool = True
    """False for a role: being told to stop (SIGTERM) is then how it ends well."""

    @property
    def entry_points(self) -> EntryPoints:
        """What carries the command out."""
        return self.points or bootstrap()

    def configured(self, act: Callable[[EntryPoints, Configuration], Coroutine[Any, Any, Answer]]) -> Answer:
        """Load the configuration, then run. Ends the process with the right exit code when something fails."""
        secrets: tuple[str, ...] = ()
        try:
            configuration = load(self.config, os.environ)
            if self.config is not None:  # the processes that `up` starts read the same file
                os.environ["LOYALTY_CONFIG"] = str(self.config.absolute())
            secrets = tuple(secrets_of(configuration))
            level = "debug" if self.debug else configuration.log_level
            form = "json" if self.json_logs else configuration.log_format
            configure_logging(level, form, secrets=secrets)
            return self._run(lambda: act(self.entry_points, configuration))
        except Exception as error:
            self._fail(error, secrets)

    def unconfigured(self, act: Callable[[EntryPoints], Coroutine[Any, Any, Answer]]) -> Answer:
        """Run without a configuration."""
        try:
            configure_logging("debug" if self.debug else "warning")
            return self._run(lambda: act(self.entry_points))
        except Exception as error:
            self._fail(error, ())

    def _run(self, act: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        told_to_stop: list[signal.Signals] = []

        async def stoppable() -> Answer:
            work = asyncio.ensure_future(act())
            loop = asyncio.get_running_loop()

            def stop(number: signal.Signals) -> None:
                told_to_stop.append(number)
                loop.remove_signal_handler(number)  # a second one ends the process at once
                work.cancel()

            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop, number)
            try:
                return await work
            finally:  # uvloop would leave them in place, and swallow signals between two parts of a command
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.remove_signal_handler(number)

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(stoppable())
        except asyncio.CancelledError:
            self._stopped(told_to_stop[0] if told_to_stop else signal.SIGINT)

    def _stopped(self, number: signal.Signals) -> Never:
        if number is signal.SIGINT:
            raise typer.Exit(Exit.INTERRUPTED)
        if not self.ends_by_itself:
            raise typer.Exit(Exit.DONE)
        typer.echo(f"loyalty {self.command}: stopped before it was done", err=True)
        raise typer.Exit(Exit.FAILED)

    def _fail(self, error: Exception, secrets: tuple[str, ...]) -> Never:
        if isinstance(error, typer.Exit):
            raise error
        redaction = Redaction(secrets)
        if self.debug:
            sys.stderr.write(redaction.text("".join(traceback.format_exception(error))))
        typer.echo(f"loyalty {self.command}: {redaction.text(message_of(error))}", err=True)
        raise typer.Exit(exit_of(error))


def invocation(context: typer.Context, config: Path | None = None, debug: bool = False) -> Invocation:
    """The invocation of the command that typer is running. A test hands its entry points over as `obj`."""
    words = context.command_path.split()[1:]
    return Invocation(" ".join(words), config, debug, context.obj)
