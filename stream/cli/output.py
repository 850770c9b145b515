"""What goes to stdout: JSON for programs, or something to read. Nothing else is ever written there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

COLUMNS_AT_MOST = 8
WIDTH_ELSEWHERE = 200
"""Where there is no terminal whose width counts."""


def line_of_json(value: object) -> str:
    """One line. Structs and dataclasses become objects, decimals strings, times ISO 8601 with milliseconds."""
    return msgspec.json.encode(plain(value)).decode()


def show(value: object, *, as_json: bool, readable: Callable[[object], object] = lambda value: value) -> None:
    """Print an answer to stdout; `readable` makes of it what people read."""
    if as_json:
        print(line_of_json(value))  # noqa: T201  # the answer itself
        return
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH_ELSEWHERE
    match plain(readable(value)):
        case dict() as fields:
            _show_fields(console, fields)
        case list() as rows if rows and all(isinstance(row, dict) for row in rows):
            console.print(_table(rows))
        case list() as items:
            console.print("\n".join(map(str, items)) or "nothing", markup=False)
        case other:
            console.print(str(other), markup=False)


def plain(value: object) -> object:
    """Only what JSON has."""
    return _timed(msgspec.to_builtins(value, builtin_types=(datetime,)))


def _timed(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Mapping():
            return {str(key): _timed(item) for key, item in value.items()}
        case list() | tuple():
            return [_timed(item) for item in value]
        case _:
            return value


def _show_fields(console: Console, fields: Mapping[str, object], indent: str = "") -> None:
    width = max((len(key) for key in fields), default=0)
    for key, value in fields.items():
        if isinstance(value, dict) and value:
            console.print(f"{indent}{key}", markup=False)
            _show_fields(console, value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(f"{indent}{key}", markup=False)
            console.print(_table(value))
        else:
            console.print(f"{indent}{key.ljust(width)}  {_cell(value)}", markup=False)


def _table(rows: list[dict[str, object]]) -> Table:
    columns = list(rows[0])[:COLUMNS_AT_MOST]
    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(_cell(row.get(column)).replace("[", r"\[") for column in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else line_of_json(value)
