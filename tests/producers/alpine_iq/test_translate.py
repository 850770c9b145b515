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


def test_a_movement_goes_to_its_contact() -> None:
    raw = b'{"contactID": "40012", "type": "expiry", "points": -40, "note": "old", "timestamp": 1700000000}'
    output = translate.movement(raw, "adjustment", IDENTITIES, ORG)

    body = VOCABULARY.decode(output.value or b"").data
    (identity,) = IDENTITIES.of("40012", (), None)
    assert output.key == identity_key(ORG, identity)
    assert isinstance(body, MovementObserved)
    assert (body.kind, body.points, body.moved_at, body.note) == ("expiry", -40, 1_700_000_000_000, "old")
    assert translate.movement(raw, "adjustment", IDENTITIES, ORG) == output, "the same row is the same movement"


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"contactID": "1", "points": 5}', b'{"contactID": "1", "timestamp": 5}', b'{"points": 5}']
)
def test_a_movement_without_points_time_or_contact_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        translate.movement(raw, "adjustment", IDENTITIES, ORG)
