"""What Alpine IQ sends, read tolerantly: unknown fields are passed over, a field of a wrong type is unknown.

Points are whole; the provider may also keep fractions, which are cut off (a fraction of a point buys nothing).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Annotated

import msgspec
from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from producers.http.answers import read_json
from stream.errors import Unreadable

MAX_POINTS = 10**12
MAX_TEXT_CHARACTERS = 500
MAX_EPOCH_SECONDS = 10**11
"""A number beyond it counts milliseconds (in seconds it would be the year 5138)."""


class Envelope(msgspec.Struct):
    """Every answer. A failure may come with HTTP 200: then `success` is false."""

    success: object = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    code: object = None
    errors: object = None
    message: object = None
    contact: object = msgspec.field(name="contactID", default=None)

    @property
    def failed(self) -> bool:
        """Whether it says so, as a boolean or in a word."""
        return str(self.success).strip().lower() in ("false", "0", "no")

    @property
    def empty(self) -> bool:
        """Whether there is no `data`: nothing matched."""
        return bytes(self.data) == b"null"


class Page(msgspec.Struct):
    """A page of members; `results` null is an empty one. Rows stay bytes, so that one broken row spoils no other."""

    results: list[msgspec.Raw] | None = None
    total: object = None


class Timeline(msgspec.Struct):
    """A contact's own point history."""

    events: list[msgspec.Raw] | None = None


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS:
        return None
    return value.strip() or None


def _flag(value: object) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("true", "1", "yes"))


Text = Annotated[str | None, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class MemberRow(_Model):
    """A member in the bulk list. `points` is as it was sent; see `points_of`."""

    contact: Text = Field(None, alias="contactID")
    mobile_phone: Text = Field(None, alias="mobilePhone")
    home_phone: Text = Field(None, alias="homePhone")
    email: Text = None
    points: object = Field(None, alias="loyaltyPoints")
    hidden: Flag = Field(False, alias="hidePointsInWallet")
    tier: Text = None


class Wallet(_Model):
    """One contact's wallet. Points read 0 whenever they are hidden."""

    points: object = Field(None, alias="loyaltyPoints")
    hidden: Flag = Field(False, alias="hidePointsInWallet")
    contact: Text = Field(None, alias="contactID")


class LightLookUp(_Model):
    """The light member check. Its fields are assumed: the vendor documents none."""

    contact: Text = Field(None, alias="contactID")
    points: object = Field(None, validation_alias=AliasPath("wallet", "points"))
    tier: Text = Field(None, validation_alias=AliasPath("wallet", "tier"))
    hidden: Flag = Field(False, validation_alias=AliasPath("wallet", "hidePointsInWallet"))


class MovementRow(_Model):
    """A redemption or adjustment. Its fields are assumed, under several names: the vendor documents none.

    `points`, `timestamp` are as they were sent; see `points_of`, `instant_of`.
    """

    contact: Text = Field(None, validation_alias=AliasChoices("contactID", "contactId", "contact_id"))
    id: Text = Field(None, validation_alias=AliasChoices("id", "_id", "transactionID", "transactionId"))
    kind: Text = Field(None, alias="type")
    points: object = Field(None, validation_alias=AliasChoices("points", "value", "loyaltyPoints"))
    note: Text = None
    timestamp: object = Field(None, validation_alias=AliasChoices("timestamp", "createdAt", "inserted", "date"))


def member_row(raw: bytes) -> MemberRow:
    """A member. Raises `Unreadable` when the row is not an object or nobody can tell whose it is."""
    row = MemberRow.model_validate(_object(raw))
    if row.contact is None:
        raise Unreadable("the member has no contactID")
    return row


def movement_row(raw: bytes) -> MovementRow:
    """A movement. Raises `Unreadable` when the row is not an object or nobody can tell whose it is."""
    row = MovementRow.model_validate(_object(raw))
    if row.contact is None:
        raise Unreadable("the movement has no contactID")
    return row


def wallet(envelope: Envelope) -> Wallet:
    """The wallet in an answer, with the contact id from wherever it stands. Raises `Unreadable`."""
    return Wallet.model_validate({"contactID": envelope.contact} | _object(bytes(envelope.data)))


def light_look_up(envelope: Envelope) -> LightLookUp:
    """The light member check in an answer. Raises `Unreadable`."""
    return LightLookUp.model_validate(_object(bytes(envelope.data)))


def points_of(value: object, *, hidden: bool = False) -> int | None:
    """A balance in points; None when it is hidden or was not sent: unknown, which is not 0.

    Takes numbers and decimal strings; may be negative. Raises `Unreadable` for anything else.
    """
    if hidden or value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise InvalidOperation
        points = Decimal(value)
        if not points.copy_abs() <= MAX_POINTS:
            raise InvalidOperation
    except ArithmeticError:
        raise Unreadable(f"the points are not a number: {type(value).__name__}") from None
    return int(points.to_integral_value(ROUND_FLOOR))


def instant_of(value: object) -> int | None:
    """A time in UTC ms; None when it was not sent.

    Takes seconds or milliseconds since the epoch, as a number or as text, and ISO 8601 (UTC where it names no zone).
    Raises `Unreadable` for anything else, 0 and what lies before it included: those are how a program writes nothing.
    """
    if value is None:
        return None
    try:
        seconds = _epoch(value) if not isinstance(value, str) or value.strip().isdecimal() else _iso(value)
    except (ArithmeticError, ValueError, OverflowError):
        raise Unreadable(f"the time is none: {type(value).__name__}") from None
    return int(seconds * 1000)


def _epoch(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidOperation
    number = Decimal(value)
    if not 0 < number <= MAX_EPOCH_SECONDS * 1000:
        raise InvalidOperation
    return number if number <= MAX_EPOCH_SECONDS else number / 1000


def _iso(text: str) -> Decimal:
    at = datetime.fromisoformat(text.strip())
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return _epoch(Decimal(str(at.timestamp())))


def _object(raw: bytes) -> dict[str, object]:
    try:
        document = read_json(raw)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable(f"not an object but {type(document).__name__}")
    return document
