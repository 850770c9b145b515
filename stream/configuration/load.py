"""From a file and the environment to a checked configuration, or to a list of everything that is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from stream.configuration.environment import FILE_VARIABLE, Table, merge, overrides
from stream.configuration.explain import wrong_keys
from stream.configuration.secrets import References
from stream.errors import ConfigurationError
from stream.settings import Configuration

DEFAULT_FILE = Path("loyalty.toml")


def load(path: Path | None, environ: Mapping[str, str]) -> Configuration:
    """The configuration: defaults, then the file, then `LOYALTY_…` variables. Secrets are resolved here, once.

    The file is `path`, else `LOYALTY_CONFIG`, else `./loyalty.toml` where there is one.
    Raises ConfigurationError that names every wrong key with its path, its value (unless secret), what is allowed,
    and the file.
    """
    file = find(path, environ)
    return _checked(_read(file) if file else {}, file, environ)


def find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file; None when none is named and there is none here.

    Raises ConfigurationError when the one that is named does not exist.
    """
    named = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not named.is_file():
        origin = "--config" if path else FILE_VARIABLE
        raise ConfigurationError(
            f"there is no configuration file {named} ({origin}). Copy loyalty.example.toml and edit it."
        )
    return named


def _read(file: Path) -> Table:
    try:
        # Decimal: 1.2 stays 1.2, a rate never passes through a binary float.
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not TOML: {error}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None


def _checked(table: Table, file: Path | None, environ: Mapping[str, str]) -> Configuration:
    variables = overrides(environ)
    try:
        merged = merge(table, environ, variables)
    except ValueError as error:
        raise ConfigurationError(_complaint([str(error)], file)) from None
    folder = file.parent if file else Path()
    try:
        return Configuration.model_validate(merged, context=References(environ, folder))
    except ValidationError as error:
        raise ConfigurationError(_complaint(wrong_keys(error, Configuration, variables), file)) from None


def _complaint(lines: list[str], file: Path | None) -> str:
    where = str(file) if file else "the environment (no configuration file was found)"
    listed = "\n".join(f"  {line}" for line in lines)
    return f"the configuration cannot be used, {where}:\n{listed}\nloyalty.example.toml explains every key."
