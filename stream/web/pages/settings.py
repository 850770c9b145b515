"""Settings: shown, tried out, applied; and their versions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role
from stream.contracts.settings import OrgSettings
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import SettingsVersion
from stream.web.pages import words
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute, field, form_of, see
from stream.web.pages.settings_form import (
    CHOICES,
    LABELS,
    day_of,
    differences,
    hours_of,
    settings_from,
    settings_of_text,
    text_of_settings,
)
from stream.web.preview import EXAMPLES, Preview, preview
from stream.web.problems import Problem, not_found
from stream.web.requests import turn_to_preview

VERSIONS = 20

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class SettingsShown:
    """The form. `version`: in force; `of`: the older version that fills the form, or None."""

    settings: OrgSettings
    version: int
    of: int | None
    versions: list[SettingsVersion]


@dataclass(frozen=True)
class Tried:
    """What a change would do. `text`: the settings, for the form that applies them."""

    expected: int
    text: str
    changes: list[tuple[str, str, str]]
    effect: Preview
    names: dict[str, str]
    not_counted: list[str]


@router.get("/settings")
def settings(request: Request) -> Response:
    """The settings in force, or an older version's to go back to."""
    page = page_of(request)
    if page.settings is None or page.settings_version is None:
        return rendered(page, "settings.html", s=None)
    older = _older(page, page.query.get("from"))
    return _form(page, older.settings if older else page.settings, of=older.version if older else None)


@router.post("/settings/preview")
async def try_out(request: Request) -> Response:
    """What would change, before anything does."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, Role.MANAGER)
    before, version = _in_force(page)
    try:
        after = settings_from(form, page.zone, before)
    except Problem as wrong:
        if not page.is_fragment:
            raise
        return rendered(page, "settings_wrong.html", 422, wrong=wrong.detail)
    async with turn_to_preview(request):
        found = await asyncio.to_thread(_tried, page, before, after, version)
    return rendered(page, "settings_tried.html" if page.is_fragment else "settings_preview.html", tried=found)


@router.post("/settings")
async def apply(request: Request) -> Response:
    """Put them in force."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, Role.MANAGER)
    reason, expected = field(form, "reason")[:2000], field(form, "expected")
    if not reason:
        raise Problem(422, "say why, in a few words")
    if not (expected.isascii() and expected.isdigit() and len(expected) < 10):
        raise Problem(422, "which version is to be replaced is missing")
    await page.site.decisions.change_settings(
        page.org,
        settings_of_text(field(form, "settings")),
        expected=int(expected),
        by=page.caller.id,
        reason=reason,
    )
    return see(page.link("/settings", done="settings"))


def _form(page: Page, settings: OrgSettings, *, of: int | None) -> Response:
    versions = page.views.settings_versions(page.org, limit=VERSIONS)
    found = SettingsShown(settings, _in_force(page)[1], of, versions)
    return rendered(page, "settings.html", s=found, choices=CHOICES, day_of=day_of, hours_of=hours_of)


def _tried(page: Page, before: OrgSettings, after: OrgSettings, version: int) -> Tried:
    effect = preview(page.views, page.org, before, after, now=page.now)
    examples = effect.examples[:EXAMPLES]
    return Tried(
        expected=version,
        text=text_of_settings(after),
        changes=differences(before, after, page.zone),
        effect=effect,
        names=shown_pages.names_of(page.views, page.org, [each.customer for each in examples]),
        not_counted=[words.lowered(LABELS.get(name, name)) for name in effect.not_counted],
    )


def _in_force(page: Page) -> tuple[OrgSettings, int]:
    if page.settings is None or page.settings_version is None:
        raise not_found(f"settings of org {page.org!r}")
    return page.settings, page.settings_version


def _older(page: Page, number: str | None) -> SettingsVersion | None:
    if number is None or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    found = page.views.settings_version(page.org, int(number))
    if found is None:
        raise not_found(f"version {number} of the settings")
    return found
