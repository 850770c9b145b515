"""Settings that the rules cannot work with are refused before they are in force."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from decimal import Decimal

from stream.contracts.names import customer_id
from stream.contracts.settings import Accrual, OrgSettings, Tier
from stream.errors import BadRecord

_MAX_RATE = Decimal(10_000)
_MAX_MULTIPLIER = Decimal(100)
_MAX_PERCENT = Decimal(1_000)
_MAX_POINTS = 10**12
_MAX_SETTLE_SECONDS = 30 * 86_400
_MAX_ENTRIES = 100
_MAX_REMINDER_HOURS = 365 * 24
_SMALLEST_EXPONENT = -12
_CURRENCY = re.compile(r"[A-Z]{3}")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def validate(settings: OrgSettings) -> None:
    """Raises `BadRecord` that names the key, its value and what is allowed."""
    for wrong in _wrong(settings):
        raise BadRecord(f"settings: {wrong}")


def _wrong(settings: OrgSettings) -> Iterator[str]:
    """Every complaint, in the order of the settings."""
    yield from _accruals(settings.accruals)
    yield from _tiers(settings.tiers)
    yield from _tolerance(settings)
    yield from _cases(settings)
    if not _CURRENCY.fullmatch(settings.currency):
        yield _says("currency", settings.currency, "three capital letters (ISO 4217)")
    if not _ZONE.fullmatch(settings.time_zone):
        yield _says("time_zone", settings.time_zone, "a name of the IANA time zone database")
    yield from _whole("settle_seconds", settings.settle_seconds, _MAX_SETTLE_SECONDS)
    if any(not name.strip() for name in settings.statuses):
        yield _says("statuses", "", "status strings that are not empty")
    for customer in settings.equity_customers:
        try:
            customer_id(customer)
        except BadRecord as error:
            yield f"equity_customers: {error}"


def _accruals(accruals: tuple[Accrual, ...]) -> Iterator[str]:
    yield from _entries("accruals", accruals)
    for at, each in enumerate(accruals):
        yield from _number(f"accruals[{at}].points_per_dollar", each.points_per_dollar, _MAX_RATE)
        yield from _number(f"accruals[{at}].equity_multiplier", each.equity_multiplier, _MAX_MULTIPLIER)
    starts = [each.effective_from for each in accruals]
    yield from _ascending("accruals", "effective_from", starts)


def _tiers(tiers: tuple[Tier, ...]) -> Iterator[str]:
    yield from _entries("tiers", tiers)
    yield from _ascending("tiers", "threshold", [each.threshold for each in tiers])
    for at, each in enumerate(tiers):
        yield from _whole(f"tiers[{at}].threshold", each.threshold, _MAX_POINTS)
        if not each.id or not each.name:
            yield _says(f"tiers[{at}]", f"{each.id}/{each.name}", "an id and a name that are not empty")
    for key, names in (("id", [each.id for each in tiers]), ("name", [each.name for each in tiers])):
        if len(set(names)) < len(names):
            yield _says(f"tiers.{key}", names, "each once")


def _tolerance(settings: OrgSettings) -> Iterator[str]:
    tolerance = settings.tolerance
    yield from _number("tolerance.percent", tolerance.percent, _MAX_PERCENT)
    yield from _whole("tolerance.floor_points", tolerance.floor_points, _MAX_POINTS)
    cap = tolerance.cap_points
    if cap is not None and not tolerance.floor_points <= cap <= _MAX_POINTS:
        yield _says("tolerance.cap_points", cap, f"floor_points ({tolerance.floor_points}) to {_MAX_POINTS}, or none")


def _cases(settings: OrgSettings) -> Iterator[str]:
    cases = settings.cases
    if not 1 <= cases.opens_after <= _MAX_ENTRIES:
        yield _says("cases.opens_after", cases.opens_after, f"1 to {_MAX_ENTRIES}")
    if cases.closes_percent is not None:
        wrong = list(_number("cases.closes_percent", cases.closes_percent, _MAX_PERCENT))
        yield from wrong
        if not wrong and cases.closes_percent > settings.tolerance.percent:
            allowed = f"at most tolerance.percent ({settings.tolerance.percent})"
            yield _says("cases.closes_percent", cases.closes_percent, allowed)
    yield from _number("cases.worsens_percent", cases.worsens_percent, _MAX_PERCENT)
    yield from _whole("cases.worsens_points", cases.worsens_points, _MAX_POINTS)
    yield from _whole("cases.reminds_after_hours", cases.reminds_after_hours, _MAX_REMINDER_HOURS)


def _entries(key: str, entries: Collection[object]) -> Iterator[str]:
    if not 1 <= len(entries) <= _MAX_ENTRIES:
        yield _says(key, f"{len(entries)} entries", f"1 to {_MAX_ENTRIES} entries")


def _ascending(key: str, name: str, values: list[int]) -> Iterator[str]:
    if values and values[0] != 0:
        yield _says(f"{key}[0].{name}", values[0], "0")
    if any(after <= before for before, after in itertools.pairwise(values)):
        yield _says(f"{key}.{name}", values, "strictly ascending")


def _number(key: str, value: Decimal, most: Decimal) -> Iterator[str]:
    """Finite, not negative, bounded, and without decimals that would make the integer ratios huge."""
    exponent = value.as_tuple().exponent
    short = isinstance(exponent, int) and exponent >= _SMALLEST_EXPONENT
    if not (value.is_finite() and short and 0 <= value <= most):
        yield _says(key, value, f"0 to {most}, with at most {-_SMALLEST_EXPONENT} decimals")


def _whole(key: str, value: int, most: int) -> Iterator[str]:
    if not 0 <= value <= most:
        yield _says(key, value, f"0 to {most}")


def _says(key: str, value: object, allowed: str) -> str:
    return f"{key} is {str(value)[:80]}, allowed: {allowed}"
