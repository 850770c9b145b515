from __future__ import annotations

import msgspec
import pytest

from producers.alpine_iq import wire
from producers.http.answers import read_json
from stream.errors import Unreadable


@pytest.mark.parametrize(
    ("sent", "points", "because"),
    [
        ("475", 475, "a number"),
        ('"475"', 475, "a number written as text"),
        ('" 475 "', 475, "with space"),
        ("0", 0, "a zero is a zero"),
        ("-20", -20, "a balance may be negative"),
        ("475.0", 475, "a whole decimal"),
        ("475.99", 475, "a fraction of a point buys nothing"),
        ('"475.99"', 475, "also as text"),
        ("-0.5", -1, "cut downwards"),
        ("4.75e2", 475, "an exponent"),
        ("null", None, "not sent is unknown, not zero"),
    ],
)
def test_points_are_read_without_floats(sent: str, points: int | None, because: str) -> None:
    assert wire.points_of(read_json(sent.encode())) == points, because


@pytest.mark.parametrize(
    "sent", ['"n/a"', '""', "true", "[475]", '{"value": 1}', '"NaN"', '"Infinity"', "1e400", '"9E+999999999"', "1e13"]
)
def test_points_that_are_no_balance_are_unreadable(sent: str) -> None:
    with pytest.raises(Unreadable, match="the points are not a number"):
        wire.points_of(read_json(sent.encode()))


@pytest.mark.parametrize("sent", ["0", "475", '"n/a"'])
def test_hidden_points_are_unknown_whatever_was_sent(sent: str) -> None:
    assert wire.points_of(read_json(sent.encode()), hidden=True) is None


@pytest.mark.parametrize(
    ("row", "contact", "phone", "email", "hidden"),
    [
        ({"contactID": 40012, "mobilePhone": 5551234567}, "40012", "5551234567", None, False),
        ({"contactID": "40012", "email": " a@b.co "}, "40012", None, "a@b.co", False),
        ({"contactID": "1", "mobilePhone": ["5551234567"], "email": {}}, "1", None, None, False),
        ({"contactID": "1", "mobilePhone": "", "email": None, "new": {"deep": [1]}}, "1", None, None, False),
        ({"contactID": "1", "hidePointsInWallet": "true"}, "1", None, None, True),
        ({"contactID": "1", "hidePointsInWallet": 1}, "1", None, None, True),
        ({"contactID": "1", "hidePointsInWallet": "no"}, "1", None, None, False),
    ],
)
def test_a_member_is_read_tolerantly(
    row: dict[str, object], contact: str, phone: str | None, email: str | None, hidden: bool
) -> None:
    read = wire.member_row(msgspec.json.encode(row))
    assert (read.contact, read.mobile_phone, read.email, read.hidden) == (contact, phone, email, hidden)


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"text"', b"{}", b'{"contactID": null}', b'{"contactID": []}', b"{"])
def test_a_row_that_is_nobodys_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        wire.member_row(raw)
