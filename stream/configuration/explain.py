"""What is wrong with a configuration, in words: the key's full path, its value unless secret, what is allowed."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]


def wrong_keys(error: ValidationError, model: type[BaseModel], sources: Mapping[Path, str]) -> list[str]:
    """One line per wrong key. `sources`: the environment variable that set a path, where one did."""
    return [_line(details, model, sources) for details in error.errors(include_url=False)]


def dotted(path: Path) -> str:
    """`("org", 0, "alleaves", "page_size")` as `org[0].alleaves.page_size`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _line(details: ErrorDetails, model: type[BaseModel], sources: Mapping[Path, str]) -> str:
    path: Path = details["loc"]
    where = f"{dotted(path)} (from {sources[path]})" if path in sources else dotted(path)
    if details["type"] == "extra_forbidden":
        return f"{where}: there is no such key; {_suggestion(path, model)}"
    if details["type"] == "missing":
        return f"{where}: is missing"
    if details["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"{where}: should be a table"
    shown = _shown(details["input"], path, model)
    return ": ".join(part for part in (where, shown, _allowed(details)) if part)


def _allowed(details: ErrorDetails) -> str:
    message = details["msg"]
    for lead in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(lead)
    return message[:1].lower() + message[1:]


def _shown(value: object, path: Path, model: type[BaseModel]) -> str:
    """A value as it may be printed: secrets never, and no whole tables, for they may hold secrets."""
    if _is_secret(path, model) or not isinstance(value, str | int | float):
        return ""
    return repr(value)


def _suggestion(path: Path, model: type[BaseModel]) -> str:
    here = _model_at(path[:-1], model)
    names = sorted(here.model_fields) if here else []
    close = get_close_matches(str(path[-1]), names, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed here: {', '.join(names)}"


def _is_secret(path: Path, model: type[BaseModel]) -> bool:
    field = _field_at(path, model)
    return field is None or any(kind is SecretStr for kind in _leaves(field.annotation))


def _field_at(path: Path, model: type[BaseModel]) -> FieldInfo | None:
    """The innermost field on the way along `path`; None where a key is unknown."""
    here: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for step in path:
        if isinstance(step, int) or here is None:
            continue
        field = next((f for name, f in here.model_fields.items() if step in _names(name, f)), None)
        if field is None:
            return None
        here = next((kind for kind in _leaves(field.annotation) if issubclass(kind, BaseModel)), None)
    return field


def _model_at(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    if not path:
        return model
    field = _field_at(path, model)
    kinds = _leaves(field.annotation) if field else ()
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def _names(name: str, field: FieldInfo) -> set[str]:
    alias = field.validation_alias
    return {name} | ({str(choice) for choice in alias.choices} if isinstance(alias, AliasChoices) else set())


def _leaves(annotation: object) -> Iterator[type]:
    """The classes in an annotation such as `tuple[TierSettings, ...] | None`."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple, dict, list):
        for argument in get_args(annotation):
            yield from _leaves(argument)
    elif args := get_args(annotation):
        yield from _leaves(args[0])
