"""What a vendor answered, and what its status means."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from producers.http.failures import NotFound, Rejected, Throttled
from stream.contracts.names import Millis
from stream.errors import Refused, Unavailable, VendorError

_BOM = b"\xef\xbb\xbf"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
DIGITS_OF_64_BITS = 18
_TRANSIENT = {408, 425, 429}
_REJECTED = {400, 409, 410, 413, 414, 422}
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    `started_at`: UTC ms at which the request started, by the vendor's clock. `document`: the JSON of `body`, its
    numbers int or Decimal; None for an answer without content (204).
    """

    status: int
    body: bytes
    started_at: Millis
    document: object


class Received(NamedTuple):
    """What came back to one request, all of it."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def read_json(body: bytes) -> object:
    """The JSON in `body`; a fraction becomes a Decimal, never a binary float. Raises `ValueError`.

    What is nearly JSON is read too, so that one odd value does not cost the rest of a page: a literal `NaN` becomes
    that text, a control character stays, what is no character becomes `�` or `?`.
    """
    body = body.removeprefix(_BOM)
    try:
        document: object = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = _read_leniently(body)
    return document


def _read_leniently(body: bytes) -> object:
    try:
        return _whole_characters(LENIENT.decode(text_of(body)))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def text_of(body: bytes) -> str:
    """The text of nearly JSON."""
    return body.decode(json.detect_encoding(body), "replace")


def _whole_number(digits: str) -> int | Decimal:
    """Python refuses to make an int of thousands of digits, and msgspec to write one beyond 64 bits."""
    return int(digits) if len(digits) <= DIGITS_OF_64_BITS else Decimal(digits)


LENIENT = json.JSONDecoder(parse_float=Decimal, parse_int=_whole_number, parse_constant=str, strict=False)


def _whole_characters(document: object) -> object:
    """Half characters, as JSON can escape them, are in no UTF-8: nothing that holds one could be published."""
    if isinstance(document, str):
        return document.encode("utf-8", "replace").decode()
    if isinstance(document, list):
        return [_whole_characters(element) for element in document]
    if isinstance(document, dict):
        return {_whole_characters(name): _whole_characters(value) for name, value in document.items()}
    return document


def failure(vendor: str, what: str, response: Received, secrets: Iterable[str]) -> VendorError | None:
    """The error that a status means; None for a success. The vendor's own words are quoted without secrets."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    said = without_secrets(vendor_text(response.content), secrets)
    message = f"{vendor} answered {status} to {what}" + (f": {said}" if said else "")
    if status in _TRANSIENT or status >= 500:
        kind = Throttled if status == 429 else Unavailable
        return kind(message, retry_after=retry_after_seconds(response.headers))
    if status == 404:
        return NotFound(message)
    if status in (401, 403):
        return Refused(f"{message}. Check the credentials configured for {vendor}.")
    if 300 <= status < 400:
        return Refused(f"{message} (a redirect). Check the base_url configured for {vendor}.")
    return Rejected(message) if status in _REJECTED else Refused(message)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, from either of its forms (RFC 9110 §10.2.3); None when it says nothing.

    A date is measured against the answer's own `Date`: our clock may differ.
    """
    header = headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return float(header)
    at, now = http_date_seconds(header), http_date_seconds(headers.get("Date", ""))
    return None if at is None else max(0.0, at - (time.time() if now is None else now))


def http_date_seconds(header: str) -> float | None:
    """An HTTP date as UTC seconds since the epoch; None when it is none."""
    try:
        at = parsedate_to_datetime(header)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def vendor_text(body: bytes) -> str:
    """What the vendor says went wrong: `message`, `error`, `errors[0].message`, or the start of the text."""
    try:
        document = read_json(body)
    except ValueError:
        text = " ".join(body[: _TEXT_LIMIT * 4].decode("utf-8", "replace").split())
        return text[:_TEXT_LIMIT]
    return _message(document)[:_TEXT_LIMIT]


def _message(document: object) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return _message(document[0]) if document else ""
    if isinstance(document, dict):
        for name in ("message", "error", "errors"):
            if document.get(name):
                return _message(document[name])
    return ""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret in it blotted out."""
    for secret in sorted((secret for secret in secrets if secret), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
