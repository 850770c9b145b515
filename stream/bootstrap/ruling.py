"""Commands about an org's settings: what is in force, what the file says, and its mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from stream.bootstrap.browsing import views_at
from stream.bootstrap.deciding import decisions_of, now_ms
from stream.configuration import org_of, org_settings
from stream.contracts.settings import Mode, OrgSettings, SettingsInForce
from stream.errors import LoyaltyError
from stream.loyalty.acceptance import check_settings
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.web.preview import Preview, concerns_customers, preview
from stream.web.shapes import Json


async def settings_in_force(configuration: Configuration, *, org: str) -> Json | None:
    """The numbered settings as they are computed with."""
    with views_at(configuration) as views:
        found = views.settings(org)
    return None if found is None else {"org": org, "version": found.version, "settings": _plain(found.settings)}


async def settings_difference(configuration: Configuration, *, org: str) -> Json:
    """What would change if the file's settings were in force, setting by setting, and for how many customers: `effect`
    is None where the rules stay as they are. Raises BadRecord for settings that cannot be."""
    wanted = org_settings(org_of(configuration, org))
    check_settings(wanted)
    with views_at(configuration) as views:
        found = _in_force(views, org)
        changes = list(_changes(_plain(found.settings), _plain(wanted)))
        concerned = concerns_customers(found.settings, wanted)
        effect = _effect(preview(views, org, found.settings, wanted, now=now_ms())) if concerned else None
    return {"org": org, "version": found.version, "changes": changes, "effect": effect}


async def apply_settings(configuration: Configuration, *, org: str, expected: int, by: str, reason: str) -> Json:
    """The file's settings."""
    wanted = org_settings(org_of(configuration, org))
    async with decisions_of(configuration) as decisions:
        found = await decisions.change_settings(org, wanted, expected=expected, by=by, reason=reason)
    return {"org": org, "version": found.version, "mode": found.settings.mode.value}


async def mode_change(configuration: Configuration, *, org: str, mode: Mode) -> Json:
    """Whom it concerns. `exports`: whether profiles go to Firestore; `channels`: how many tell people of alerts."""
    with views_at(configuration) as views:
        found = _in_force(views, org)
        stats, figures = views.stats(org), views.figures(org)
    configured = next((each for each in configuration.orgs if each.id == org), None)
    return {
        "org": org,
        "mode": found.settings.mode.value,
        "wanted": mode.value,
        "version": found.version,
        "customers": stats.total_customers,
        "liveCases": figures.live_cases,
        "exports": configuration.firestore.project is not None,
        "channels": len(configured.notify.channels) if configured else 0,
        "file": configured.mode.value if configured else None,
    }


async def change_mode(
    configuration: Configuration, *, org: str, mode: Mode, expected: int, by: str, reason: str
) -> Json:
    """Only the mode: everything else stays as it is in force."""
    with views_at(configuration) as views:
        wanted = msgspec.structs.replace(_in_force(views, org).settings, mode=mode)
    async with decisions_of(configuration) as decisions:
        found = await decisions.change_settings(org, wanted, expected=expected, by=by, reason=reason)
    return {"org": org, "version": found.version, "mode": found.settings.mode.value}


def _in_force(views: Views, org: str) -> SettingsInForce:
    found = views.settings(org)
    if found is None:
        raise LoyaltyError(f"org {org} has no settings yet: they come with the first start of its poller.")
    return found


def _plain(settings: OrgSettings) -> Json:
    built: Json = msgspec.to_builtins(settings)
    return built


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Json]:
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield {"setting": name, "inForce": old.get(name), "file": new.get(name)}


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Every setting by its path, such as `tiers.silver.threshold`."""
    match value:
        case Mapping() if value:
            for key, inner in value.items():
                yield from _leaves(f"{name}.{key}" if name else str(key), inner)
        case list() | tuple() if value and all(isinstance(each, Mapping) for each in value):
            for number, each in enumerate(value):
                yield from _leaves(f"{name}.{each.get('id', number)}", each)
        case _:
            yield name, value


def _effect(seen: Preview) -> Json:
    return {
        "customers": seen.customers,
        "complete": seen.complete,
        "pointsChange": seen.points_changed,
        "pointsBefore": seen.points_before,
        "pointsAfter": seen.points_after,
        "tiersChange": sum(seen.tiers_changed.values()),
        "discrepanciesAppear": seen.opening,
        "discrepanciesVanish": seen.closing,
        "notCounted": seen.not_counted,
    }
