"""What becomes of the vendor's rows: tables of fields and what is understood by them."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from producers.alleaves.pages import Item
from producers.alleaves.translate import CustomerSeen, DeadLetter, OrderSeen, Translator
from producers.identity import Identities, IdentityKey
from stream.contracts.names import Millis
from stream.settings import EquitySettings

AT = Millis(1_769_804_518_000)
TRANSLATOR = Translator(
    Identities(IdentityKey(b"k" * 32)),
    refunded_fields=("refunded_amount", "refund_amount"),
    walk_in_names=("Guest",),
    equity=EquitySettings(field="group", values=("equity", "true")),
)


def item(row: object) -> Item:
    raw = json.dumps(row, default=str).encode()
    return Item(row, raw)


def order(**fields: object) -> OrderSeen | DeadLetter | None:
    row = {
        "id_order": 7, "id_customer": 3528, "date_created": "2026-01-30T20:21:58.003Z", "total": Decimal("39.55"),
        "complete": True,
    }  # fmt: skip
    return TRANSLATOR.order(item({key: value for key, value in (row | fields).items() if value is not ...}), AT)


def seen(**fields: object) -> OrderSeen:
    result = order(**fields)
    assert isinstance(result, OrderSeen), result
    return result


def dead(**fields: object) -> DeadLetter:
    result = order(**fields)
    assert isinstance(result, DeadLetter), result
    return result


def customer(**fields: object) -> CustomerSeen:
    result = TRANSLATOR.customer(item({"id_customer": 3528} | fields), AT)
    assert isinstance(result, CustomerSeen), result
    return result


def test_an_order_is_read() -> None:
    customer, fact = seen()
    assert (customer, fact.order, fact.total_minor, fact.currency) == ("3528", "7", 3955, "USD")
    assert (fact.created_at, fact.observed_at, fact.completed) == (1_769_804_518_003, AT, True)
    assert (fact.subtotal_minor, fact.tax_minor, fact.paid, fact.cancelled, fact.refunded_minor) == (
        None, None, None, False, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "read", "means"),
    [
        ("total", "39.55", "total_minor", 3955),
        ("total", 40, "total_minor", 4000),
        ("total", "-12.50", "total_minor", -1250),
        ("total", "19.99", "total_minor", 1999),
        ("tax", "3.20", "tax_minor", 320),
        ("tax", "", "tax_minor", None),
        ("subtotal", None, "subtotal_minor", None),
        ("complete", 1, "completed", True),
        ("complete", "false", "completed", False),
        ("complete", None, "completed", None),
        ("cancel", 1, "cancelled", True),
        ("void", "true", "cancelled", True),
        ("void", Decimal(1), "cancelled", True),
        ("paid_in_full", 0, "paid", False),
        ("refunded_amount", "5.00", "refunded_minor", 500),
        ("refund_amount", Decimal("-5.00"), "refunded_minor", 500),
        ("refunded_amount", None, "refunded_minor", 0),
        ("status", " Ready ", "status", "Ready"),
        ("status", "x" * 5_000, "status", "x" * 100),
        ("status", {"odd": 1}, "status", None),
        ("id_location", 1000, "location", "1000"),
        ("id_order", " 0070 ", "order", "0070"),
        ("id_order", Decimal("7.0"), "order", "7"),
        ("items", None, "total_minor", 3955),
    ],
)
def test_a_field_is_read_in_every_form(field: str, value: object, read: str, means: object) -> None:
    assert getattr(seen(**{field: value}).fact, read) == means


@pytest.mark.parametrize(
    ("fields", "reason", "known"),
    [
        ({"total": ...}, "total is missing", ("7", "3528")),
        ({"total": None}, "total is missing", ("7", "3528")),
        ({"total": "abc"}, "total: amount 'abc'", ("7", "3528")),
        ({"total": "NaN"}, "total: ", ("7", "3528")),
        ({"total": Decimal("1E+400")}, "total: ", ("7", "3528")),
        ({"total": True}, "total: ", ("7", "3528")),
        ({"total": {"amount": 1}}, "total: ", ("7", "3528")),
        ({"refunded_amount": "some"}, "refunded_amount: ", ("7", "3528")),
        ({"date_created": ...}, "a time is text", ("7", "3528")),
        ({"complete": "perhaps"}, "complete: ", ("7", "3528")),
        ({"id_customer": ...}, "id_customer is missing", ("7", None)),
        ({"id_customer": []}, "id_customer: ", ("7", None)),
        ({"id_customer": "a_b"}, "customer id 'a_b'", ("7", None)),
        ({"id_order": None}, "id_order is missing", (None, "3528")),
    ],
)
def test_what_cannot_be_understood_is_a_dead_letter_that_says_why(
    fields: dict[str, object], reason: str, known: tuple[str | None, str | None]
) -> None:
    letter = dead(**fields)
    assert reason in letter.reason
    assert (letter.order, letter.customer) == known


@pytest.mark.parametrize("row", [None, 7, "text", []])
def test_an_element_that_is_no_object_is_a_dead_letter(row: object) -> None:
    assert isinstance(TRANSLATOR.order(item(row), AT), DeadLetter)
    assert isinstance(TRANSLATOR.customer(item(row), AT), DeadLetter)


def test_a_reason_holds_no_value_that_may_be_personal() -> None:
    assert "+15551234567" not in dead(complete="+15551234567").reason


@pytest.mark.parametrize(
    ("first", "last", "walk_in"),
    [("Guest", "", True), ("guest", None, True), ("Guest", "Smith", False), ("Ann", "", False), (None, None, False)],
)
def test_an_order_of_the_walk_in_account_is_known_by_its_name(
    first: str | None, last: str | None, walk_in: bool
) -> None:
    assert seen(name_first=first, name_last=last).fact.walk_in is walk_in


def test_orders_of_other_locations_are_passed_over() -> None:
    ours = Translator(TRANSLATOR.identities, locations=("1000",))
    row = {"id_order": 7, "id_customer": 1, "date_created": "2026-01-30T20:21:58Z", "total": 1}
    assert isinstance(ours.order(item(row | {"id_location": 1000}), AT), OrderSeen)
    assert isinstance(ours.order(item(row), AT), OrderSeen)
    assert ours.order(item(row | {"id_location": 2000}), AT) is None


def test_the_hash_tells_content_apart_and_nothing_else() -> None:
    plain = seen().fact.content_hash
    assert seen(items=[1], discount=3, total="39.550").fact.content_hash == plain
    changes: list[dict[str, object]] = [
        {"total": "39.56"},
        {"tax": 1},
        {"void": True},
        {"id_location": 2},
        {"status": "x"},
    ]
    assert len({plain, *(seen(**change).fact.content_hash for change in changes)}) == 6


def test_the_hash_does_not_tell_when_it_was_observed() -> None:
    row = item({"id_order": 7, "id_customer": 1, "date_created": "2026-01-30T20:21:58Z", "total": 1})
    first, second = TRANSLATOR.order(row, Millis(1)), TRANSLATOR.order(row, Millis(2))
    assert isinstance(first, OrderSeen)
    assert isinstance(second, OrderSeen)
    assert first.fact.content_hash == second.fact.content_hash


def test_a_customer_is_read_without_personal_data_in_the_fact() -> None:
    row = {
        "name_first": " Ann ", "name_last": "Lee", "phone": "(555) 123-4567", "phone2": "", "email": "A@B.example",
        "alpine_user_code": "998", "date_created": "2024-01-01T00:00:00Z", "group": "Equity",
    }  # fmt: skip
    who, fact, person = customer(**row)
    assert (who, fact.equity, fact.walk_in, fact.created_at) == ("3528", True, False, 1_704_067_200_000)
    assert [identity.split(":")[0] for identity in fact.identities] == ["code", "phone", "email"]
    assert person is not None
    assert (person.name, person.phones, person.observed_at) == ("Ann Lee", ("+15551234567",), AT)


@pytest.mark.parametrize(
    ("row", "equity"),
    [
        ({"group": "equity"}, True), ({"group": ["VIP", "Equity"]}, True), ({"group": {"name": "equity"}}, True),
        ({"group": True}, True), ({"group": None}, False), ({"group": "VIP"}, False), ({}, None),
    ],
)  # fmt: skip
def test_equity_comes_from_the_configured_field_and_is_unknown_without_it(
    row: dict[str, object], equity: bool | None
) -> None:
    assert customer(**row).fact.equity is equity


@pytest.mark.parametrize(
    ("row", "walk_in"),
    [
        ({"name_first": "Guest"}, True),
        ({"name_first": "Guest", "phone": "5551234567"}, False),
        ({"name_first": "Guest", "name_last": "Smith"}, False),
    ],
)
def test_the_walk_in_customer_has_no_contact(row: dict[str, object], walk_in: bool) -> None:
    assert customer(**row).fact.walk_in is walk_in


def test_text_that_is_no_unicode_can_still_be_published() -> None:
    person = customer(name_first="\ud800Ann", name_last="B" * 5_000).person
    assert person is not None
    assert person.name.encode().startswith(b"?Ann B")
    assert len(person.name) == 200


def forgetting(*customers: str) -> Translator:
    return replace(TRANSLATOR, erased=frozenset(customers))


def test_somebody_erased_keeps_only_what_is_not_personal() -> None:
    result = forgetting("1").customer(item({"id_customer": 1, "phone": "5551234567"}), AT)
    assert isinstance(result, CustomerSeen)
    assert (result.person, result.fact.identities) == (None, ())


def test_a_customer_without_an_id_is_a_dead_letter() -> None:
    result = TRANSLATOR.customer(item({"name_first": "Ann"}), AT)
    assert isinstance(result, DeadLetter)
    assert result.reason == "id_customer is missing"


def test_what_is_kept_of_a_person_fits_into_a_record() -> None:
    person = customer(name_first="n" * 2_000_000, email="a@" + "b" * 2_000_000 + ".co", phone="5" * 2_000_000).person
    assert person is not None
    assert len(person.name) + len(person.email or "") + sum(map(len, person.phones)) < 1000


def test_an_unreadable_order_of_somebody_elses_shop_is_not_ours_to_tell_of() -> None:
    ours = replace(TRANSLATOR, locations=("1000",))
    odd = {"id_order": 7, "id_customer": 3528, "complete": "perhaps"}
    assert ours.order(item(odd | {"id_location": 2000}), AT) is None
    assert isinstance(ours.order(item(odd | {"id_location": 1000}), AT), DeadLetter)
    assert isinstance(ours.order(item(odd), AT), DeadLetter), "of which shop it is, is not said"
    assert isinstance(ours.order(item(odd | {"id_location": [2000]}), AT), DeadLetter)


def test_of_somebody_who_is_forgotten_not_even_an_unreadable_row_is_kept() -> None:
    row = item({"id_customer": 3528, "name_first": "Zoe", "phone": "5551234567", "date_created": "never"})
    kept, forgotten = TRANSLATOR.customer(row, AT), forgetting("3528").customer(row, AT)
    assert isinstance(kept, DeadLetter)
    assert isinstance(forgotten, DeadLetter)
    assert (kept.raw, forgotten.raw) == (row.raw, b"")
    assert forgotten.reason == kept.reason


def test_an_unreadable_order_of_somebody_erased_leaves_nothing_of_them() -> None:
    odd = item({"id_order": 7, "id_customer": 3528, "name_first": "Zoe", "total": "much"})
    kept, forgotten = TRANSLATOR.order(odd, AT), forgetting("3528").order(odd, AT)
    assert isinstance(kept, DeadLetter)
    assert isinstance(forgotten, DeadLetter)
    assert (b"Zoe" in kept.raw, forgotten.raw) == (True, b"")
    assert (forgotten.order, forgotten.customer) == ("7", "3528")
