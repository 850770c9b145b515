from __future__ import annotations

import msgspec
import pytest

from producers.alpine_iq import translate
from producers.identity import Identities, IdentityKey
from stream.contracts import dead_letters
from stream.contracts.identities import IDENTITIES as VOCABULARY
from stream.contracts.identities import BalanceObserved, MovementObserved
from stream.contracts.names import Millis, OrgId, identity_key
from stream.errors import Unreadable

ORG = OrgId("brand_example")
IDENTITIES = Identities(IdentityKey(bytes(32)))
ROW = {
    "contactID": "40012",
    "mobilePhone": "5551234567",
    "homePhone": "+15559876543",
    "email": "A@B.co",
    "loyaltyPoints": 475,
}


def row(**changes: object) -> bytes:
    return msgspec.json.encode(ROW | changes)


def test_a_balance_is_published_under_every_identity_of_its_row() -> None:
    balance = translate.member_balance(row(), IDENTITIES)
    outputs = translate.observations(balance, Millis(1000), translate.Request(ORG, "brand_example:daily:1", 2))

    expected = IDENTITIES.of("40012", ("5551234567", "5559876543"), "a@b.co")
    assert [output.key for output in outputs] == [identity_key(ORG, identity) for identity in expected]
    for identity, output in zip(expected, outputs, strict=True):
        event = VOCABULARY.decode(output.value or b"")
        assert (output.topic, event.org, event.customer, event.at) == ("identities", ORG, "", 1000)
        assert event.data == BalanceObserved(identity, "40012", 475, 1000, "brand_example:daily:1", 2)


def test_a_look_up_names_its_customer_and_has_attempt_0() -> None:
    balance = translate.member_balance(row(), IDENTITIES)
    request = translate.Request(ORG, "brand_example:customer:x", 0, "3528")
    event = VOCABULARY.decode(translate.observations(balance, Millis(1), request)[0].value or b"")
    assert (event.customer, event.data.customer, event.data.attempt) == ("3528", "3528", 0)


@pytest.mark.parametrize(
    ("changes", "points", "problem"),
    [
        ({"loyaltyPoints": 0}, 0, None),
        ({"loyaltyPoints": 0, "hidePointsInWallet": True}, None, None),
        ({"loyaltyPoints": None}, None, None),
        ({"loyaltyPoints": "n/a"}, None, "the points are not a number: str"),
    ],
)
def test_unknown_points_are_never_a_zero(changes: dict[str, object], points: int | None, problem: str | None) -> None:
    balance = translate.member_balance(row(**changes), IDENTITIES)
    assert (balance.points, balance.problem) == (points, problem)
    assert len(balance.identities) == 4


def test_nothing_personal_is_published() -> None:
    balance = translate.member_balance(row(), IDENTITIES)
    for output in translate.observations(balance, Millis(1), translate.Request(ORG, "r", 1)):
        for personal in (b"555", b"b.co", b"B.co"):
            assert personal not in (output.value or b"") + output.key


def test_a_dead_letter_holds_the_original_bytes_and_the_reason() -> None:
    letter = translate.dead_letter(b'{"odd": 1}', "the member has no contactID", Millis(5), ORG)
    headers = dict(letter.headers)
    assert (letter.topic, letter.value) == ("dead-letters", b'{"odd": 1}')
    assert headers[dead_letters.REASON] == b"the member has no contactID"
    assert headers[dead_letters.STAGE] == b"alpine_iq.translate"
    assert headers[dead_letters.ORG] == b"brand_example"


def movement_row(**changes: object) -> bytes:
    known = {"contactID": "40012", "type": "redemption", "points": -40, "note": "old", "timestamp": 1_700_000_000}
    return msgspec.json.encode({name: value for name, value in (known | changes).items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "kind", "points", "at", "because"),
    [
        ({}, "redemption", -40, 1_700_000_000_000, "as assumed"),
        ({"points": 40}, "redemption", -40, 1_700_000_000_000, "what was redeemed is gone, with or without a minus"),
        ({"type": "points_expired", "points": "40"}, "expiry", -40, 1_700_000_000_000, "the row knows better"),
        ({"type": "ADJUSTMENT", "points": 40}, "adjustment", 40, 1_700_000_000_000, "an adjustment may add"),
        ({"type": "birthday"}, "adjustment", -40, 1_700_000_000_000, "an unknown kind is that of its list"),
        ({"type": None, "points": None, "value": 7}, "adjustment", 7, 1_700_000_000_000, "another name"),
        ({"timestamp": 1_700_000_000_123}, "redemption", -40, 1_700_000_000_123, "milliseconds"),
        ({"timestamp": "1700000000"}, "redemption", -40, 1_700_000_000_000, "seconds as text"),
        ({"timestamp": "2023-11-14T22:13:20.5Z"}, "redemption", -40, 1_700_000_000_500, "ISO 8601"),
        ({"timestamp": "2023-11-14 22:13:20"}, "redemption", -40, 1_700_000_000_000, "without a zone: UTC"),
        ({"timestamp": None, "createdAt": 1_700_000_000}, "redemption", -40, 1_700_000_000_000, "another name"),
    ],
)
def test_a_movement_is_read_tolerantly(
    changes: dict[str, object], kind: str, points: int, at: int, because: str
) -> None:
    row = translate.moved(movement_row(**changes), "adjustment")
    assert (row.contact, row.kind, row.points, row.moved_at) == ("40012", kind, points, at), because


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"[]",
        movement_row(points=None),
        movement_row(points="n/a"),
        movement_row(timestamp=None),
        movement_row(timestamp=0),
        movement_row(timestamp=True),
        movement_row(timestamp="yesterday"),
        movement_row(timestamp=10**15),
        movement_row(contactID=None),
        movement_row(contactID="0"),
    ],
)
def test_a_movement_without_points_time_or_contact_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        translate.moved(raw, "adjustment")


def test_a_movement_is_published_under_every_identity_of_its_contact() -> None:
    row = translate.moved(movement_row(note="for Ann, ann@b.co, 555-123-4567"), "adjustment")
    held = IDENTITIES.of("40012", ("5551234567",), None)
    outputs = list(translate.movement("m1", row, held, Millis(5), ORG))
    assert [output.key for output in outputs] == [identity_key(ORG, identity) for identity in held]
    for identity, output in zip(held, outputs, strict=True):
        event = VOCABULARY.decode(output.value or b"")
        assert (event.org, event.at) == (ORG, 5), "when it was read: what moved long ago is news"
        note = event.data.note
        assert event.data == MovementObserved(identity, "40012", "m1", "redemption", -40, 1_700_000_000_000, note)
        assert note.startswith("for Ann, ")
        assert "b.co" not in note
        assert "123" not in note


def test_a_movement_has_the_same_id_however_often_and_in_whatever_order_it_is_listed() -> None:
    rows = [
        translate.moved(movement_row(**changes), "redemption")
        for changes in ({}, {}, {"points": -41}, {"timestamp": 1_700_000_001}, {"contactID": "2"}, {"id": 7})
    ]
    ids = [known for known, _ in translate.numbered(rows)]
    assert len(set(ids)) == 6, "two equal ones are two"
    assert ids[-1] == "redemption:7"
    assert {known for known, _ in translate.numbered(rows[::-1])} == set(ids)
    assert [known for known, _ in translate.numbered(rows[2:])] == ids[2:]
    (long, _), *_ = translate.numbered([translate.moved(movement_row(id="x" * 400), "redemption")])
    assert len(long) == 32
