"""Problems: what could not be read, by reason; statuses that nobody has named; what vendors did otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role
from stream.contracts.alerts import AlertKind
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import DeadLetter, LetterReason
from stream.sinks.views.shown_pages import PastAlert
from stream.web.pages import words
from stream.web.pages.assumptions import Assumption, assumptions
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute, field, form_of, see
from stream.web.problems import Problem

AT_ONCE = 25
REASON_CHARACTERS = 1000

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Problems:
    """The page. `letters`: those of the chosen reason, else the newest; `total`: undecided ones of all reasons;
    `places`: of those among `letters` that nobody has decided."""

    reasons: list[LetterReason]
    total: int
    chosen: str | None
    decided: bool
    letters: list[DeadLetter]
    more: str | None
    places: list[str]
    statuses: list[PastAlert]
    withheld: list[PastAlert]
    assumptions: list[Assumption]


@router.get("/problems")
def problems(request: Request) -> Response:
    """What needs to be mended elsewhere."""
    page = page_of(request)
    return rendered(page, "problems.html", found=_problems(page), fix=fix)


@router.post("/problems/all/{action}")
async def decide_all(request: Request, action: str) -> Response:
    """Try again, or let go, all that were shown. Where some cannot be, the others are decided all the same."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, Role.MANAGER)
    places = list(dict.fromkeys(form.get("place", [])))
    if not 1 <= len(places) <= AT_ONCE:
        raise Problem(422, f"choose 1 to {AT_ONCE} records")
    decide = _decision(page, action, field(form, "reason"))
    outcomes = await asyncio.gather(*(decide(place) for place in places), return_exceptions=True)
    failed = [each for each in outcomes if isinstance(each, BaseException)]
    if unforeseen := [each for each in failed if not isinstance(each, Problem)]:
        raise unforeseen[0]
    if refused := [each for each in failed if isinstance(each, Problem)]:
        raise Problem(409, f"{len(refused)} of {len(places)} could not be decided: {refused[0].detail}")
    return see(page.link("/problems", done=action))


@router.post("/problems/{place}/{action}")
async def decide(request: Request, place: str, action: str) -> Response:
    """Try one again, or let it go."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, Role.MANAGER)
    await _decision(page, action, field(form, "reason"))(place)
    return see(page.link("/problems", reason=field(form, "back") or None, done=action))


def _decision(page: Page, action: str, reason: str) -> Callable[[str], Awaitable[DeadLetter]]:
    """What is to be done about the letter at a place. Raises Problem 404 or 422."""
    decisions, by, why = page.site.decisions, page.caller.id, reason[:2000]
    if action == "retry":
        return lambda place: decisions.retry_letter(page.org, place, by=by, reason=why or None)
    if action != "discard":
        raise Problem(404, "there is no such action")
    if not why:
        raise Problem(422, "say why, in a few words")
    return lambda place: decisions.discard_letter(page.org, place, by=by, reason=why)


def fix(letter: DeadLetter) -> str:
    """What to do about it, in a sentence."""
    if letter.remedy is None:
        return "The export does not have it. The next change of the same brings it there; discard this one."
    if letter.stage.startswith("alleaves"):
        return "It counts 0 until it is fixed in Alleaves; then press Retry."
    if letter.stage.startswith("alpine_iq"):
        return f"Its balance is unknown until {words.PROVIDER} sends it readable; then press Retry."
    return "It has no effect until it is taken in: press Retry after an update of this program."


def _problems(page: Page) -> Problems:
    views, org, query = page.views, page.org, page.query
    reasons = views.letter_reasons(org)
    chosen = query.get("reason", "")[:REASON_CHARACTERS] or None
    decided = query.get("decided") == "1"
    letters = views.dead_letters(
        AT_ONCE + 1, org=org, reason=chosen, undecided=not decided, after=_after(query.get("after"))
    )
    more = None
    if len(letters) > AT_ONCE:
        letters = letters[:AT_ONCE]
        last = letters[-1]
        more = page.here(after=f"{last.at}:{last.partition}:{last.offset}", done=None)
    statuses = shown_pages.alerts_of(views, org, AlertKind.ORDER_STATUS_UNKNOWN)
    withheld = shown_pages.alerts_of(views, org, AlertKind.REMOVAL_WITHHELD)
    return Problems(
        reasons=reasons,
        total=sum(each.count for each in reasons),
        chosen=chosen,
        decided=decided,
        letters=letters,
        more=more,
        places=[f"{each.partition}:{each.offset}" for each in letters if each.decision is None],
        statuses=statuses,
        withheld=withheld,
        assumptions=assumptions(page, reasons, statuses, withheld),
    )


def _after(place: str | None) -> tuple[int, int, int] | None:
    parts = (place or "").split(":")
    if len(parts) != 3 or not all(each.isascii() and each.isdigit() and len(each) < 16 for each in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])
