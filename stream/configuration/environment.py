"""Environment variables over the file: `LOYALTY_KAFKA__BOOTSTRAP`, `LOYALTY_ORG__0__ALLEAVES__PAGE_SIZE`.

A variable without `__` counts only when it names a key of the top level (`LOYALTY_DATA_DIR`); others, such as the
`LOYALTY_ALLEAVES_PASSWORD` that a reference may name, are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise

from stream.settings import Configuration

PREFIX = "LOYALTY_"
FILE_VARIABLE = "LOYALTY_CONFIG"

Path = tuple[str | int, ...]
Table = dict[str, object]


def overrides(environ: Mapping[str, str]) -> dict[Path, str]:
    """Which key each variable sets, and the variable's name."""
    return {
        path: variable
        for variable in sorted(environ)
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE
        if (path := _path(variable)) is not None
    }


def merge(table: Table, environ: Mapping[str, str], paths: Mapping[Path, str]) -> Table:
    """The table with the overrides written into it. Raises ValueError for a path that leads nowhere."""
    merged: Table = {key: _copied(value) for key, value in table.items()}
    for path, variable in paths.items():
        _set(merged, path, _value(environ[variable]), variable)
    return merged


def _path(variable: str) -> Path | None:
    parts = variable.removeprefix(PREFIX).lower().split("__")
    if len(parts) == 1 and parts[0] not in Configuration.model_fields:
        return None
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def _value(text: str) -> object:
    """Lists and tables are JSON; everything else is text, which the model reads."""
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _set(table: Table, path: Path, value: object, variable: str) -> None:
    here: object = table
    for step, following in pairwise(path):
        here = _child(here, step, [] if isinstance(following, int) else {}, variable)
    _put(here, path[-1], value, variable)


def _child(here: object, step: str | int, empty: object, variable: str) -> object:
    if isinstance(here, dict):
        return here.setdefault(step, empty)
    if isinstance(here, list) and isinstance(step, int) and step <= len(here):
        if step == len(here):
            here.append(empty)
        return here[step]
    raise ValueError(f"{variable}: there is nothing at {step!r} to set a key of")


def _put(here: object, step: str | int, value: object, variable: str) -> None:
    if isinstance(here, dict):
        here[step] = value
    elif isinstance(here, list) and isinstance(step, int) and step <= len(here):
        here[step : step + 1] = [value]
    else:
        raise ValueError(f"{variable}: there is nothing at {step!r} to set")
