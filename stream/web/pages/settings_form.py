"""Settings as a form, and a form as settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec

from stream.contracts.settings import (
    Accrual,
    Basis,
    CaseRules,
    Compare,
    Mode,
    OrderStatus,
    OrgSettings,
    RoundingMode,
    RoundingPer,
    Schedule,
    Tier,
    Tolerance,
)
from stream.errors import BadRecord
from stream.loyalty.acceptance import check_settings
from stream.web.problems import Problem

T = TypeVar("T")
Form = dict[str, list[str]]

CHOICES: dict[str, dict[str, str]] = {
    "rounding": {"half_up": "half up", "floor": "down", "none": "not, the rest is cut off"},
    "rounding_per": {"total": "once, on the lifetime total", "order": "each order by itself"},
    "basis": {"total": "the total, with tax", "total_less_tax": "the total less tax", "subtotal": "the subtotal"},
    "compare": {"raw": "orders alone", "expected": "orders and known movements"},
    "mode": {"observe": "observe: computes and shows only", "live": "live: exports and alerts too"},
}
"""What a field may be, as it is stored and in words."""

LABELS: dict[str, str] = {
    "accruals": "Points per dollar",
    "tiers": "Tiers",
    "rounding": "Rounds",
    "rounding_per": "Rounds",
    "basis": "Counts",
    "tolerance.percent": "Tolerance, percent",
    "tolerance.floor_points": "Never below, points",
    "tolerance.cap_points": "Always above, points",
    "cases.opens_after": "Opens after, observations",
    "cases.closes_percent": "Closes at, percent",
    "cases.worsens_percent": "Alerts again when it grows by, percent",
    "cases.worsens_points": "and by at least, points",
    "cases.reminds_after_hours": "Reminds after, hours",
    "compare": "Compares with",
    "mode": "Mode",
    "currency": "Currency",
    "time_zone": "Time zone",
    "settle_seconds": "Settle window, seconds",
    "statuses": "Statuses",
    "equity_customers": "Social-equity customers",
    "schedule.daily_at": "Daily at",
    "schedule.intraday_minutes": "Balances every, minutes",
    "schedule.deadline_minutes": "Deadline, minutes",
}
_NESTED = ("tolerance", "cases", "schedule")
_DATE = "%Y-%m-%d"
_SECONDS_AN_HOUR = 3600


def settings_from(form: Form, zone: tzinfo, before: OrgSettings) -> OrgSettings:
    """The settings that the form describes; `before`: those in force. Raises Problem 422 that names the field."""
    try:
        settings = OrgSettings(
            accruals=tuple(_accruals(form, zone)),
            tiers=tuple(_tiers(form, before)),
            rounding=RoundingMode(_one(form, "rounding")),
            rounding_per=RoundingPer(_one(form, "rounding_per")),
            basis=Basis(_one(form, "basis")),
            tolerance=Tolerance(
                _decimal(form, "percent"), _whole(form, "floor_points"), _optional(form, "cap_points", _whole)
            ),
            cases=CaseRules(
                opens_after=_whole(form, "opens_after"),
                closes_percent=_optional(form, "closes_percent", _decimal),
                worsens_percent=_decimal(form, "worsens_percent"),
                worsens_points=_whole(form, "worsens_points"),
                reminds_after_hours=_whole(form, "reminds_after_hours"),
            ),
            compare=Compare(_one(form, "compare")),
            mode=Mode(_one(form, "mode")),
            currency=_one(form, "currency").upper(),
            time_zone=_one(form, "time_zone"),
            settle_seconds=int(_decimal(form, "settle_hours") * _SECONDS_AN_HOUR),
            statuses=dict(_statuses(form)),
            equity_customers=tuple(re.split(r"[\s,]+", _one(form, "equity_customers")))
            if _one(form, "equity_customers")
            else (),
            schedule=Schedule(
                daily_at=_time_of_day(form, "daily_at"),
                intraday_minutes=_whole(form, "intraday_minutes"),
                deadline_minutes=_whole(form, "deadline_minutes"),
            ),
        )
        check_settings(settings)
    except BadRecord as error:
        raise Problem(422, str(error)) from error
    except (ValueError, ArithmeticError) as error:
        raise Problem(422, f"settings: {error}") from error
    return settings


def settings_of_text(text: str) -> OrgSettings:
    """Settings that a page carried along. Raises Problem 422."""
    try:
        return msgspec.json.decode(text, type=OrgSettings)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise Problem(422, f"settings: {error}") from error


def text_of_settings(settings: OrgSettings) -> str:
    """Settings for a page to carry along."""
    return msgspec.json.Encoder(decimal_format="string").encode(settings).decode()


def differences(before: OrgSettings, after: OrgSettings, zone: tzinfo) -> list[tuple[str, str, str]]:
    """What differs: the field's name in words, what it was, what it is to be."""
    old, new = _flat(before), _flat(after)
    return [
        (LABELS.get(name, name), _said(name, old[name], zone), _said(name, new[name], zone))
        for name in new
        if old[name] != new[name]
    ]


def day_of(at: int, zone: tzinfo) -> str:
    """The day on which an accrual begins; empty for the first."""
    return "" if at == 0 else datetime.fromtimestamp(at / 1000, zone).strftime(_DATE)


def hours_of(seconds: int) -> str:
    """Seconds as hours, as few digits as will do."""
    return f"{Decimal(seconds) / _SECONDS_AN_HOUR:f}"[:12]


def _accruals(form: Form, zone: tzinfo) -> Iterator[Accrual]:
    rows = zip(form.get("from", []), form.get("rate", []), form.get("multiplier", []), strict=False)
    for position, (day, rate, multiplier) in enumerate(rows):
        if not rate.strip():
            continue
        begins = 0
        if position:
            begins = int(datetime.strptime(day.strip(), _DATE).replace(tzinfo=zone).timestamp() * 1000)
        yield Accrual(
            _number(rate, "points per dollar"), _number(multiplier or "1.2", "social-equity multiplier"), begins
        )


def _tiers(form: Form, before: OrgSettings) -> Iterator[Tier]:
    spelled = {tier.color.casefold(): tier.color for tier in before.tiers}  # browsers write colours in small letters
    names = ("tier_id", "tier_name", "tier_threshold", "tier_color", "tier_benefits")
    for tier_id, name, threshold, color, benefits in zip(*(form.get(each, []) for each in names), strict=False):
        if not name.strip():
            continue
        said = tuple(line.strip() for line in benefits.splitlines() if line.strip())
        plain = tier_id.strip() or re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-") or "tier"
        yield Tier(
            plain,
            name.strip(),
            int(_number(threshold or "0", f"threshold of {name}")),
            spelled.get(color.strip(), color.strip()),
            said,
        )


def _statuses(form: Form) -> Iterator[tuple[str, OrderStatus]]:
    for line in _one(form, "statuses").splitlines():
        if line.strip():
            name, _, means = line.rpartition("=")
            yield name.strip(), OrderStatus(means.strip().lower())


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0].strip()


def _decimal(form: Form, name: str) -> Decimal:
    return _number(_one(form, name), name.replace("_", " "))


def _whole(form: Form, name: str) -> int:
    number = _decimal(form, name)
    if number != number.to_integral_value():
        raise ValueError(f"{name.replace('_', ' ')} is {number}, allowed: whole numbers")
    return int(number)


def _time_of_day(form: Form, name: str) -> str | None:
    text = _one(form, name)
    if not text:
        return None
    try:
        return datetime.strptime(text, "%H:%M").strftime("%H:%M")
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, allowed: a time such as 02:00, or nothing") from None


def _optional(form: Form, name: str, read: Callable[[Form, str], T]) -> T | None:
    return read(form, name) if _one(form, name) else None


def _number(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        raise ValueError(f"{name} is {text.strip()[:40]!r}, allowed: a number") from None
    if not number.is_finite() or abs(number) > 10**13:
        raise ValueError(f"{name} is {text.strip()[:40]!r}, allowed: a number of at most 13 digits")
    return number


def _flat(settings: OrgSettings) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if name in _NESTED:
            flat |= {f"{name}.{each}": getattr(value, each) for each in value.__struct_fields__}
        else:
            flat[name] = value
    return flat


def _said(name: str, value: object, zone: tzinfo) -> str:
    match name:
        case "accruals":
            assert isinstance(value, tuple)
            return "; ".join(_accrual_said(each, zone) for each in value)
        case "tiers":
            assert isinstance(value, tuple)
            return "; ".join(_tier_said(each) for each in value)
        case "statuses":
            assert isinstance(value, dict)
            return ", ".join(f"{status} = {means.value}" for status, means in value.items()) or "none"
        case "equity_customers":
            assert isinstance(value, tuple)
            return ", ".join(value) or "none"
    if value is None:
        return "none"
    return CHOICES.get(name, {}).get(str(value), str(value))


def _accrual_said(accrual: Accrual, zone: tzinfo) -> str:
    since = f" from {day_of(accrual.effective_from, zone)}" if accrual.effective_from else ""
    return f"{accrual.points_per_dollar} (× {accrual.equity_multiplier}){since}"


def _tier_said(tier: Tier) -> str:
    benefits = f" ({', '.join(tier.benefits)})" if tier.benefits else ""
    return f"{tier.name} from {tier.threshold:,} {tier.color}{benefits}"
