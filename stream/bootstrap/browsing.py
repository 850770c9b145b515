"""Commands that look at runs, cases, orgs and dead letters: everything comes from the views."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice

from stream.bootstrap.places import folder_of
from stream.contracts.cases import CaseState
from stream.contracts.deliveries import Outcome
from stream.errors import LoyaltyError
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.sinks.views.shown import DeadLetter, SentDelivery
from stream.web.shapes import CaseShown, Json, RunShown, case_shown, run_shown
from stream.web.shapes.happenings import DeliveryShown, LetterShown, delivery_shown, letter_shown
from stream.web.shapes.status import stats_shown

DELIVERIES_AT_ONCE = 500
LETTERS_AT_ONCE = 1000
"""So many are decided by one command: it waits for each."""


def views_at(configuration: Configuration) -> contextlib.closing[Views]:
    """The views beside this configuration, closed after the block."""
    return contextlib.closing(Views(folder_of(configuration).views))


async def runs(configuration: Configuration, *, org: str | None, limit: int) -> list[RunShown]:
    """Newest first."""
    with views_at(configuration) as views:
        return [run_shown(run) for run in views.runs(org, limit=limit)]


async def run(configuration: Configuration, *, run: str) -> RunShown | None:
    """One run."""
    with views_at(configuration) as views:
        found = views.run(run)
        return None if found is None else run_shown(found)


async def notify_list(configuration: Configuration, *, org: str, undelivered: bool, limit: int) -> list[DeliveryShown]:
    """Newest attempts first."""
    with views_at(configuration) as views:
        found = (
            sent
            for sent in _deliveries(views, org)
            if not undelivered or sent.delivery.outcome is not Outcome.DELIVERED
        )
        return [delivery_shown(sent) for sent in islice(found, limit)]


def _deliveries(views: Views, org: str) -> Iterator[SentDelivery]:
    after: tuple[int, str, str] | None = None
    while found := views.deliveries(org, after=after, limit=DELIVERIES_AT_ONCE):
        yield from found
        after = (found[-1].at, found[-1].delivery.message, found[-1].delivery.channel)


async def cases(
    configuration: Configuration,
    *,
    org: str,
    state: CaseState | None,
    resolved: bool,
    assigned_to: str | None,
    limit: int,
) -> list[CaseShown]:
    """By unexplained points, most first."""
    with views_at(configuration) as views:
        found = views.inbox(org, state=state, live=not resolved, assigned_to=assigned_to, limit=limit)
        return [case_shown(case) for case in found]


async def case(configuration: Configuration, *, case: str) -> CaseShown | None:
    """One case, by `org:customer:number`."""
    org, _, rest = case.partition(":")
    customer, _, number = rest.rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    with views_at(configuration) as views:
        found = views.case(org, customer, int(number))
        return None if found is None else case_shown(found)


async def orgs(configuration: Configuration) -> list[Json]:
    """Those of the configuration and those that the log knows."""
    with views_at(configuration) as views:
        known = views.orgs()
        names = sorted({*known, *(org.id for org in configuration.orgs)})
        return [_org(views, org, org in known) for org in names]


def _org(views: Views, org: str, known: bool) -> Json:
    in_force = views.settings(org) if known else None
    shown: Json = {
        "org": org,
        "mode": in_force.settings.mode.value if in_force else None,
        "settingsVersion": in_force.version if in_force else None,
    }
    return shown | stats_shown(views, org) | {"liveCases": views.figures(org).live_cases}


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────


async def dead_letter_reasons(configuration: Configuration, *, org: str | None) -> list[Json]:
    """How many undecided ones have which reason."""
    with views_at(configuration) as views:
        counted = [(each, reason) for each in _letter_orgs(views, org) for reason in views.letter_reasons(each)]
    counted.sort(key=lambda pair: -pair[1].count)
    return [
        {"org": each, "stage": reason.stage, "reason": reason.reason, "count": reason.count} for each, reason in counted
    ]


def _letter_orgs(views: Views, org: str | None) -> Sequence[str]:
    """A record may be a dead letter before anything else of its org is known."""
    if org is not None:
        return [org]
    return sorted({*views.orgs(), *(letter.org for letter in views.dead_letters(LETTERS_AT_ONCE, undecided=True))})


async def letters_to_decide(
    configuration: Configuration, *, org: str | None, places: Sequence[str], reason: str | None
) -> list[LetterShown]:
    """Those at `places` (decided before or not), and the undecided ones whose reason contains `reason`. Raises
    LoyaltyError for a place where none is."""
    with views_at(configuration) as views:
        found = [_at(views, org, place) for place in places]
        if reason is not None:
            found += views.dead_letters(LETTERS_AT_ONCE, org=org, reason=reason, undecided=True)
    return [letter_shown(letter) for letter in {(each.partition, each.offset): each for each in found}.values()]


def _at(views: Views, org: str | None, place: str) -> DeadLetter:
    partition, _, offset = place.partition(":")
    found = views.dead_letter(int(partition), int(offset))
    if found is None or org not in (None, found.org):
        raise LoyaltyError(f"there is no dead letter at {place}. `loyalty dead-letters list` shows those there are.")
    return found
