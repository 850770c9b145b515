"""What values in the configuration may be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import time
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo


class SecretSource(Protocol):
    """Turns a reference into the secret. Raises ValueError saying what a reference looks like, or what is missing."""

    def resolve(self, reference: object) -> str:
        """The secret that `reference` names."""


def _resolved(value: object, info: ValidationInfo) -> object:
    source: SecretSource | None = info.context
    return value if source is None or isinstance(value, SecretStr) else source.resolve(value)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as America/New_York") from None
    return name


def _time_of_day(value: object) -> object:
    """TOML has times of its own; `02:00:00` without quotes is one."""
    text = value.isoformat("minutes") if isinstance(value, time) else value
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|never", text):
        raise ValueError('must be a time of day such as "02:00", or "never"')
    return text


def as_list(value: object) -> object:
    """One text or number alone is a list of one."""
    return (value,) if isinstance(value, str | int) else value


Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
"""`HH:MM` by the org's clocks, or `never`."""
Listed = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""A list of texts; one text alone is a list of one (the brief's `locationId`)."""
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors, because a mistyped key must not be ignored."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, populate_by_name=True, coerce_numbers_to_str=True
    )


def repeated_in(values: Iterable[str | int]) -> list[str | int]:
    """Values that are there more than once."""
    return [value for value, count in Counter(values).items() if count > 1]
