"""Money: integer minor units, never through a binary float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from stream.contracts.names import Minor
from stream.errors import BadRecord

MAX_MINOR = 10**12
"""No single amount of a shop is larger (ten billion dollars): beyond it the value is garbage."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST = 60
_WIDEST_EXPONENT = 40
_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)
_NO_DECIMALS = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"})
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def digits_of(currency: str) -> int:
    """Decimals of a currency's minor unit (ISO 4217): 2 for most, 0 for JPY, 3 for KWD."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def minor_units(value: object, digits: int = 2) -> Minor:
    """`value`, an amount in major units, as minor units.

    Takes a decimal string, an int or a Decimal. Vendors compute in binary floats and send
    `39.550000000000004`: more decimals than the currency has are rounded half up (away from zero).
    Raises `BadRecord` for anything that is not a finite number of at most 10¹² minor units, and TypeError for a
    float, which is a fault of the caller: JSON numbers must be parsed as Decimal.
    """
    if isinstance(value, float):
        raise TypeError("an amount must not pass through a float: parse JSON numbers as Decimal")
    minor = _EXACT.multiply(_number(value), Decimal(10**digits)).to_integral_value(context=_EXACT)
    if abs(minor) > MAX_MINOR:
        raise BadRecord(f"amount {_shown(value)} is beyond {MAX_MINOR} minor units")
    return Minor(int(minor))


def decimal_string(minor: int, digits: int = 2) -> str:
    """`minor` in major units with all its decimals: 3955 → `39.55`, -5 → `-0.05`."""
    sign, text = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _number(value: object) -> Decimal:
    """A finite Decimal whose exponent cannot blow up what is computed from it."""
    if isinstance(value, str):
        number = _from_text(value)
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_MINOR:
            raise BadRecord(f"amount of {value.bit_length()} bits is beyond {MAX_MINOR} minor units")
        number = Decimal(value)
    else:
        raise BadRecord(f"amount is a {type(value).__name__}, not a number or a decimal string")
    if not number.is_finite():
        raise BadRecord(f"amount {_shown(value)} is not a finite number")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _WIDEST_EXPONENT or len(number.as_tuple().digits) > _LONGEST:
        raise BadRecord(f"amount {_shown(value)} has an absurd exponent or too many digits")
    return number


def _from_text(text: str) -> Decimal:
    stripped = text.strip()
    if len(stripped) > _LONGEST or not _NUMBER.fullmatch(stripped):
        raise BadRecord(f"amount {_shown(text)} is not a decimal number")
    return Decimal(stripped)


def _shown(value: object) -> str:
    return repr(value if isinstance(value, str) else str(value))[:80]
