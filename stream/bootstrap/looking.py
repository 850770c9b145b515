"""Commands that only look: everything comes from the views."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from stream.bootstrap.places import folder_of
from stream.settings import Configuration
from stream.sinks.document import json_ready
from stream.sinks.views.read import Views
from stream.sinks.views.shown import DeadLetter
from stream.web.shapes import report, run_shown, time_shown

DEAD_LETTERS_COUNTED = 1000


@contextlib.contextmanager
def _views(configuration: Configuration) -> Iterator[Views]:
    with contextlib.closing(Views(folder_of(configuration).views)) as views:
        yield views


async def status(configuration: Configuration) -> list[dict[str, object]]:
    """How every org stands."""
    with _views(configuration) as views:
        return [_standing(views, org) for org in views.orgs()]


def _standing(views: Views, org: str) -> dict[str, object]:
    last = next((run for run in views.runs(org) if run.customer is None), None)
    provider = views.provider(org)
    settings = views.settings(org)
    return {
        "org": org,
        "mode": settings.settings.mode.value if settings else None,
        **views.stats(org).answer(),
        "verdicts": views.verdicts(org),
        "provider": "available" if provider is None or provider.available else f"unavailable: {provider.reason}",
        "lastRun": None if last is None else run_shown(last),
        "deadLetters": len(views.dead_letters(DEAD_LETTERS_COUNTED, org=org, undecided=True)),
    }


async def dead_letters(configuration: Configuration, *, org: str | None, limit: int) -> Sequence[dict[str, object]]:
    """Newest first, redacted."""
    with _views(configuration) as views:
        return [_letter(each) for each in views.dead_letters(limit, org=org)]


async def dead_letter(configuration: Configuration, *, partition: int, offset: int) -> dict[str, object] | None:
    """One dead letter, redacted."""
    with _views(configuration) as views:
        found = views.dead_letter(partition, offset)
        return None if found is None else _letter(found)


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "place": f"{letter.partition}:{letter.offset}",
        "at": time_shown(letter.at),
        "org": letter.org,
        "stage": letter.stage,
        "reason": letter.reason,
        "exception": letter.exception,
        "source": _source(letter),
        "key": letter.key,
        "excerpt": letter.excerpt,
        "times": letter.times,
        "firstAt": time_shown(letter.first_at),
    }


def _source(letter: DeadLetter) -> str | None:
    """The record that was given up; None where it came from a vendor and never was one."""
    if not letter.source_topic:
        return None
    return f"{letter.source_topic} {letter.source_partition}:{letter.source_offset}"


async def customer(configuration: Configuration, *, org: str, customer: str) -> Mapping[str, object] | None:
    """The reconciliation report: document, both sides, cases, how the points came about."""
    with _views(configuration) as views:
        return report(views, org, customer)


async def profiles(configuration: Configuration, *, org: str) -> AsyncIterator[Mapping[str, object]]:
    """Every customer document of the org."""
    with _views(configuration) as views:
        for document in views.profiles(org):
            yield json_ready(document)
