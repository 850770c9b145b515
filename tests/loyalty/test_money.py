from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import BadRecord
from stream.loyalty.money import MAX_MINOR, decimal_string, digits_of, minor_units


@pytest.mark.parametrize(
    ("value", "minor", "because"),
    [
        ("39.55", 3955, "a decimal string"),
        (Decimal("19.99"), 1999, "int(19.99 * 100) would be 1998"),
        (Decimal("39.550000000000004"), 3955, "a vendor that computed in binary floats"),
        ("1.005", 101, "half up, not to even"),
        ("-1.005", -101, "half away from zero, so that a refund is the mirror of its order"),
        ("0.004999", 0, "less than half a cent"),
        ("0.00499999999999999999999999999999999999", 0, "rounded once, whatever the number of decimals"),
        (39, 3900, "an integer JSON number is major units"),
        (" 12.5 ", 1250, "blanks around it"),
        ("1e3", 100_000, "a modest exponent"),
        (".5", 50, "no digit before the point"),
        ("-0", 0, "minus nothing"),
        ("10000000000.00", MAX_MINOR, "the largest amount"),
    ],
)
def test_an_amount_becomes_minor_units(value: object, minor: int, because: str) -> None:
    assert minor_units(value) == minor, because


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "sNaN", "inf", "-Infinity", "", "abc", "$39.55", "1,234.50", "1_000", "٣٩", "0x10", "1e999999999"),
        *("1" * 61, "10000000000.01", "1e-9999"),
        *(Decimal("NaN"), Decimal("-Infinity"), Decimal("1e+999999"), Decimal("1e-999999"), Decimal("0e999999")),
        *(10**3000, True, None, {}, [], b"1"),
    ],
)
def test_what_is_no_amount_is_the_records_own_fault(value: object) -> None:
    with pytest.raises(BadRecord):
        minor_units(value)


def test_a_float_is_the_callers_fault() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        minor_units(39.55)


@pytest.mark.parametrize(
    ("currency", "text", "minor"), [("JPY", "1500", 1500), ("KWD", "1.234", 1234), ("EUR", "2", 200)]
)
def test_a_currency_has_its_own_decimals(currency: str, text: str, minor: int) -> None:
    assert minor_units(text, digits_of(currency)) == minor


@pytest.mark.parametrize(
    ("minor", "digits", "text"),
    [(3955, 2, "39.55"), (-5, 2, "-0.05"), (0, 2, "0.00"), (1500, 0, "1500"), (-1234, 3, "-1.234"), (-7, 0, "-7")],
)
def test_minor_units_are_written_in_major_units(minor: int, digits: int, text: str) -> None:
    assert decimal_string(minor, digits) == text


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from([0, 2, 3]))
def test_writing_and_reading_an_amount_gives_it_back(minor: int, digits: int) -> None:
    assert minor_units(decimal_string(minor, digits), digits) == minor
