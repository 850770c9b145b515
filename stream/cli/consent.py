"""Who does something, and whether they mean it."""

from __future__ import annotations

import getpass
import signal
import sys
from typing import Annotated

import typer

from stream.cli.exits import Exit

ACTOR = "cli:"
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it, for the history (default: the system's user).")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]


def actor(by: str | None) -> str:
    """The actor that history and audit name: `cli:NAME`."""
    return ACTOR + (by or _user()).removeprefix(ACTOR)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def require_consent(told: str, *, yes: bool) -> None:
    """Say what will happen and ask once. Ends the command when the answer is no, or when nobody can answer."""
    typer.echo(told, err=True)
    if yes:
        return
    # The event loop that has looked before this leaves handlers behind that would swallow both.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    typer.echo("Go on? [y/N] ", err=True, nl=False)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    if not answer:
        typer.echo("\nNobody can answer here, so nothing was done: add --yes.", err=True)
        raise typer.Exit(Exit.USAGE)
    if answer.strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(Exit.FAILED)
