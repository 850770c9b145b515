"""Settings: read, tried out, changed; and their versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from stream.contracts.settings import Accrual, CaseRules, OrgSettings, Schedule, SettingsInForce, Tier, Tolerance
from stream.sinks.views.shown import SettingsVersion
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged, json_response
from stream.web.preview import EXAMPLES, Preview, preview
from stream.web.problems import Problem, not_found
from stream.web.requests import InOrg, Manager, Viewer, turn_to_preview
from stream.web.shapes.times import time_shown

router = APIRouter(prefix="/api/v1/orgs/{org}/settings", tags=["settings"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Shown = dict[str, Any]
_NESTED: dict[str, type[msgspec.Struct]] = {
    "tolerance": Tolerance,
    "cases": CaseRules,
    "schedule": Schedule,
    "tiers": Tier,
    "accruals": Accrual,
}


class InForce(TypedDict):
    """`settings`: every field, as documented under `OrgSettings`. The ETag is the version, for `If-Match`."""

    version: int
    settings: Shown


class VersionShown(TypedDict):
    """`inForce`: it was seen in force, not only asked for. `by`, `reason`: of whoever changed it here."""

    version: int
    at: str | None
    inForce: bool
    by: str | None
    reason: str | None
    settings: Shown


class TierMoves(TypedDict):
    fromTier: str
    toTier: str
    customers: int


class ChangedCustomer(TypedDict):
    customerId: str
    pointsBefore: int
    pointsAfter: int
    tierBefore: str
    tierAfter: str
    verdictBefore: str
    verdictAfter: str


class PreviewShown(TypedDict):
    """What a change would do to points from orders, tiers and agreement. `complete` false: there was no time for all.
    `notCounted`: fields whose effect depends on single orders and shows only once they are in force."""

    version: int
    settings: Shown
    customers: int
    complete: bool
    pointsBefore: int
    pointsAfter: int
    customersWithOtherPoints: int
    customersWithOtherTier: int
    tiers: list[TierMoves]
    discrepanciesOpening: int
    discrepanciesClosing: int
    examples: list[ChangedCustomer]
    notCounted: list[str]


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """`settings`: fields that replace those in force (within `tolerance`, `cases` and `schedule` field by field);
    the others stay."""

    settings: dict[str, Any]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"\S")] = "tried out"


_decode = msgspec.json.Decoder(Change, float_hook=Decimal).decode


def _body(*, reason: bool) -> dict[str, Any]:
    """The body in the OpenAPI document: rates may be decimal strings, so that no digit is lost on the way."""
    fields: dict[str, Any] = {"settings": {"$ref": "#/components/schemas/SettingsChange"}}
    if reason:
        fields["reason"] = {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"\S"}
    schema = {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("", response_model=InForce)
def settings(request: Request, here: Viewer) -> Response:
    """The settings in force."""
    found = _in_force(here)
    shown: InForce = {"version": found.version, "settings": _shown(found.settings)}
    return etagged(request, shown, str(found.version))


@router.patch("", response_model=InForce, openapi_extra=_body(reason=True))
async def change(
    request: Request,
    here: Manager,
    condition: Annotated[
        str | None, Header(alias="If-Match", max_length=64, description="The ETag of the settings that you saw.")
    ] = None,
) -> Response:
    """Change settings: every customer is computed anew, without reading orders again.

    Going back is a change too: to the settings of an older version.
    """
    expected = _version(condition)
    asked = _asked(await request.body())
    if "reason" not in msgspec.json.decode(await request.body()):
        raise Problem(422, "reason: is missing")
    now = await asyncio.to_thread(_in_force, here)
    if now.version != expected:
        raise Problem(412, f"version {now.version} of the settings is in force, not {expected}")
    found = await here.site.decisions.change_settings(
        here.org,
        merged(now.settings, asked.settings),
        expected=expected,
        by=here.caller.id,
        reason=asked.reason,
    )
    body: InForce = {"version": found.version, "settings": _shown(found.settings)}
    return json_response(body, headers={"etag": f'"{found.version}"'})


@router.post("/preview", openapi_extra=_body(reason=False))
async def try_out(request: Request, here: Viewer) -> PreviewShown:
    """What a change would do, without doing it."""
    asked = _asked(await request.body())
    now = await asyncio.to_thread(_in_force, here)
    after = merged(now.settings, asked.settings)
    async with turn_to_preview(request):
        found = await asyncio.to_thread(preview, here.site.views, here.org, now.settings, after, now=here.site.clock())
    return _preview_shown(now.version, after, found)


@router.get("/versions", response_model=Page[VersionShown])
def versions(here: Viewer, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """Versions, newest first."""
    listing: Listing[SettingsVersion, VersionShown] = Listing(
        f"settings-{here.org}",
        lambda after, limit: here.site.views.settings_versions(
            here.org, before=after[0] if after else None, limit=limit
        ),
        lambda version: (version.version,),
        tuple[Whole],
        _version_shown,
        tuple(VersionShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.get("/versions/{version}", response_model=VersionShown)
def version(request: Request, here: Viewer, version: Annotated[int, Path(ge=1, le=1 << 31)]) -> Response:
    """One version."""
    found = here.site.views.settings_version(here.org, version)
    if found is None:
        raise not_found(f"version {version} of the settings")
    return etagged(request, _version_shown(found), f"{version}-{int(found.in_force)}")


def merged(settings: OrgSettings, given: Mapping[str, Any]) -> OrgSettings:
    """The settings with the given fields in place of theirs. Raises Problem 422 for a field that there is not, or a
    value that cannot be."""
    _refuse_unknown(given)
    fields: dict[str, Any] = msgspec.to_builtins(settings, builtin_types=(Decimal,))
    for name, value in given.items():
        replaces = isinstance(value, Mapping) and name in ("tolerance", "cases", "schedule")
        fields[name] = fields[name] | dict(value) if replaces else value
    try:
        return msgspec.convert(fields, OrgSettings)
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise Problem(422, f"settings: {error}") from error


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    unknown = [name for name in given if name not in OrgSettings.__struct_fields__]
    for name, struct in _NESTED.items():
        value = given.get(name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Mapping):
                unknown += [f"{name}.{each}" for each in part if each not in struct.__struct_fields__]
    if unknown:
        raise Problem(422, f"settings: there is no {unknown[0][:80]}")


def _asked(body: bytes) -> Change:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise Problem(422, f"body: {error}") from error


def _version(condition: str | None) -> int:
    if condition is None:
        raise Problem(428, "send If-Match with the ETag of the settings that you saw")
    text = condition.strip().strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Problem(412, "If-Match is not the ETag of any settings")
    return int(text)


def _in_force(here: InOrg) -> SettingsInForce:
    found = here.site.views.settings(here.org)
    if found is None:
        raise not_found(f"settings of org {here.org!r}")
    return found


def _shown(settings: OrgSettings) -> Shown:
    shown: Shown = msgspec.to_builtins(settings)
    return shown


def _version_shown(found: SettingsVersion) -> VersionShown:
    return {
        "version": found.version,
        "at": time_shown(found.at),
        "inForce": found.in_force,
        "by": found.by,
        "reason": found.reason,
        "settings": _shown(found.settings),
    }


def _preview_shown(version: int, after: OrgSettings, found: Preview) -> PreviewShown:
    return {
        "version": version,
        "settings": _shown(after),
        "customers": found.customers,
        "complete": found.complete,
        "pointsBefore": found.points_before,
        "pointsAfter": found.points_after,
        "customersWithOtherPoints": found.points_changed,
        "customersWithOtherTier": found.tiers_changed.total(),
        "tiers": [
            {"fromTier": old, "toTier": new, "customers": count}
            for (old, new), count in found.tiers_changed.most_common()
        ],
        "discrepanciesOpening": found.opening,
        "discrepanciesClosing": found.closing,
        "examples": [
            {
                "customerId": each.customer,
                "pointsBefore": each.points_before,
                "pointsAfter": each.points_after,
                "tierBefore": each.tier_before,
                "tierAfter": each.tier_after,
                "verdictBefore": each.verdict_before,
                "verdictAfter": each.verdict_after,
            }
            for each in found.examples[:EXAMPLES]
        ],
        "notCounted": found.not_counted,
    }
