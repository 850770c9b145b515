"""Lists: a page after a cursor, or all of it as CSV or JSON."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from stream.web.problems import Problem

Item = TypeVar("Item")
Shown = TypeVar("Shown")
Key = tuple[int | str, ...] | dict[int, int]

LIMIT = 50
LIMIT_MAX = 500
EXPORT_ROWS_AT_ONCE = 1000
CURSOR_CHARACTERS_MAX = 1024
# What a spreadsheet may take for a formula, full-width signs too; it drops blanks and what is not seen before them.
_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(rf"[{_UNSEEN}]*[=+@＝＋－＠-]|[\t\r\n]")
_encode = msgspec.json.encode


class Page(TypedDict, Generic[Shown]):
    """`next`: the cursor of the page after this one; null on the last."""

    items: list[Shown]
    next: str | None


Cursor = Annotated[
    str | None,
    Query(max_length=CURSOR_CHARACTERS_MAX, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items of a page.")]
Export = Annotated[
    Literal["csv", "json"] | None, Query(description="All of the list at once, as a file; `limit` has no effect.")
]


@dataclass(frozen=True)
class Listing(Generic[Item, Shown]):
    """A list read in pages. `page`: the items after a key; `key`: an item's; `shown`: an item as JSON; `key_type`:
    what a key looks like; `columns`: of the CSV, as dotted paths into what is shown."""

    name: str
    page: Callable[[Any, int], Sequence[Item]]
    key: Callable[[Item], Key]
    key_type: Any
    shown: Callable[[Item], Shown]
    columns: tuple[str, ...]

    def answer(self, cursor: str | None, limit: int, export: Literal["csv", "json"] | None) -> Response:
        """A page, or all."""
        after = decode_cursor(cursor, self.key_type) if cursor is not None else None
        if export is None:
            return json_response(self.page_shown(after, limit))
        chunks = self._csv(after) if export == "csv" else self._json(after)
        media = "text/csv; charset=utf-8" if export == "csv" else "application/json"
        headers = {"content-disposition": f'attachment; filename="{self.name}.{export}"'}
        return StreamingResponse(chunks, media_type=media, headers=headers)

    def page_shown(self, after: Key | None, limit: int) -> Page[Shown]:
        """The items after a key."""
        items = self.page(after, limit)
        more = len(items) == limit
        return {
            "items": [self.shown(item) for item in items],
            "next": encode_cursor(self.key(items[-1])) if more else None,
        }

    def _all(self, after: Key | None) -> Iterator[Shown]:
        while True:
            items = self.page(after, EXPORT_ROWS_AT_ONCE)
            yield from map(self.shown, items)
            if len(items) < EXPORT_ROWS_AT_ONCE:
                return
            after = self.key(items[-1])

    def _csv(self, after: Key | None) -> Iterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(self.columns)
        paths = [tuple(column.split(".")) for column in self.columns]
        for shown in self._all(after):
            writer.writerow([cell(_at(shown, path)) for path in paths])
            if buffer.tell() > 1 << 16:
                yield _drained(buffer)
        yield _drained(buffer)

    def _json(self, after: Key | None) -> Iterator[bytes]:
        opening = b"["
        for shown in self._all(after):
            yield opening + _encode(shown)
            opening = b",\n"
        yield b"[]" if opening == b"[" else b"]"


def encode_cursor(key: Key) -> str:
    """A place in a list, opaque."""
    return base64.urlsafe_b64encode(_encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, key_type: Any) -> Any:
    """The key in a cursor. Raises Problem 422 for one that this list never gave."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=key_type)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Problem(422, "the cursor is not one of this list: begin without one") from error


def json_response(body: object, *, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """JSON of plain values."""
    return Response(_encode(body), status, headers, media_type="application/json")


def etagged(request: Request, body: object, tag: str) -> Response:
    """JSON with an ETag, or 304 where the caller has it already."""
    quoted = f'"{tag}"'
    headers = {"etag": quoted, "cache-control": "private, no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if quoted in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return json_response(body, headers=headers)


def cell(value: object) -> object:
    """A value as a spreadsheet shows it: text that would be a formula there is made text again."""
    if type(value) is int or value is None:  # most of them
        return value
    if isinstance(value, dict | list | tuple):
        value = _encode(value).decode()
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value


def _at(shown: object, path: tuple[str, ...]) -> object:
    for step in path:
        if not isinstance(shown, dict):
            return None
        shown = shown.get(step)
    return shown


def _drained(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")
