"""Whether a command line is one that `loyalty` understands, without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from stream.cli.app import app


def parse(words: Sequence[str]) -> str:
    """The command that `words` (without `loyalty`) call, such as `topics apply`. Raises typer's usage errors."""
    command = get_command(app)
    path: list[str] = []
    rest = list(words)
    while isinstance(command, TyperGroup):
        context = Context(command, info_name="loyalty")
        name, found, rest = command.resolve_command(context, rest)
        if found is None or name is None:
            raise LookupError(f"no command {' '.join([*path, *words])}")
        path.append(name)
        command = found
    command.make_context(path[-1], list(rest))
    return " ".join(path)


def commands() -> Iterator[tuple[str, str, str]]:
    """Every command: its words, its help and its epilogue."""
    yield from _below(get_command(app), ())


def _below(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _below(child, (*path, name))
    else:
        yield " ".join(path), getattr(command, "help", "") or "", getattr(command, "epilog", "") or ""
