"""A page of a list: its items, each with the bytes that the vendor sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from producers.http import Answer, UnreadableAnswer
from producers.http.answers import LENIENT, text_of
from stream.contracts.names import Millis

_RAW_ITEMS = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
_OPENING = re.compile(r"\s*[\[{]\s*")
_COLON = re.compile(r"\s*:\s*")
_COMMA = re.compile(r"\s*,?\s*")


@dataclass(frozen=True)
class Item:
    """One element of a list. `document`: its JSON, numbers int or Decimal. `raw`: its bytes as they were sent."""

    document: object
    raw: bytes


@dataclass(frozen=True)
class Page:
    """`started_at`: start of the request, UTC ms by the vendor's clock. `body`: all of it."""

    items: tuple[Item, ...]
    started_at: Millis
    body: bytes


def page_of(answer: Answer, what: str) -> Page:
    """The page in an answer of either shape: a bare array, or an object with numeric-string keys.

    Raises `UnreadableAnswer` for any other shape (such as an error that came with status 200).
    """
    document = answer.document
    if isinstance(document, list):
        items = [Item(*pair) for pair in zip(document, _raw_items(answer.body), strict=True)]
    elif isinstance(document, dict) and all(key.isdecimal() for key in document):
        pairs = zip(document.items(), _raw_items(answer.body), strict=True)
        items = [Item(value, raw) for (_, value), raw in sorted(pairs, key=lambda pair: int(pair[0][0]))]
    else:
        raise UnreadableAnswer(
            f"Alleaves answered {what} with neither an array nor an object with numeric keys", body=answer.body
        )
    return Page(tuple(items), answer.started_at, answer.body)


def _raw_items(body: bytes) -> list[bytes]:
    try:
        items = _RAW_ITEMS.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Nearly JSON: what `read_json` took is taken apart in the same way.
        return [raw.encode() for raw in dict(_scanned(text_of(body))).values()]
    return [bytes(item) for item in (items.values() if isinstance(items, dict) else items)]


def _scanned(text: str) -> Iterator[tuple[str, str]]:
    """Key (or number) and text of each item of an array or object."""
    keyed = text.lstrip().startswith("{")
    at, count = _skip(_OPENING, text, 0), 0
    while text[at] not in "]}":
        key = str(count)
        if keyed:
            key, at = LENIENT.raw_decode(text, at)
            at = _skip(_COLON, text, at)
        _, end = LENIENT.raw_decode(text, at)
        yield key, text[at:end]
        at, count = _skip(_COMMA, text, end), count + 1


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
