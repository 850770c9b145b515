"""Read what a request says; what makes no sense is a 400."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException

Body = TypeVar("Body")


def number(text: str | None, default: int) -> int:
    """A query parameter that is a whole number."""
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise HTTPException(400, f"not a number: {text}") from error


def decoded(content: bytes, shape: type[Body]) -> Body:
    """A JSON body of this shape; an empty body is an empty object."""
    try:
        return msgspec.json.decode(content or b"{}", type=shape)
    except msgspec.MsgspecError as error:
        raise HTTPException(400, str(error)) from error
