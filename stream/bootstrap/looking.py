"""Commands that only look: everything comes from the views."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from stream.bootstrap.places import folder_of
from stream.settings import Configuration
from stream.sinks.document import document_of, json_ready
from stream.sinks.views.read import Views
from stream.sinks.views.shown import DeadLetter


@contextlib.contextmanager
def _views(configuration: Configuration) -> Iterator[Views]:
    with contextlib.closing(Views(folder_of(configuration).views)) as views:
        yield views


async def status(configuration: Configuration) -> list[dict[str, object]]:
    """How every org stands."""
    with _views(configuration) as views:
        return [_standing(views, org) for org in views.orgs()]


def _standing(views: Views, org: str) -> dict[str, object]:
    last = next(iter(views.runs(org, limit=1)), None)
    provider = views.provider(org)
    settings = views.settings(org)
    return {
        "org": org,
        "mode": settings.settings.mode.value if settings else None,
        **views.stats(org).answer(),
        "verdicts": views.verdicts(org),
        "provider": "available" if provider is None or provider.available else f"unavailable: {provider.reason}",
        "lastRun": None if last is None else f"{last.run} {last.outcome or last.phase}",
        "deadLetters": len(views.dead_letters(1000, org=org)),
    }


async def dead_letters(configuration: Configuration, *, org: str | None, limit: int) -> Sequence[DeadLetter]:
    """Newest first, redacted."""
    with _views(configuration) as views:
        return views.dead_letters(limit, org=org)


async def dead_letter(configuration: Configuration, *, partition: int, offset: int) -> DeadLetter | None:
    """One dead letter, redacted."""
    with _views(configuration) as views:
        return views.dead_letter(partition, offset)


async def customer(configuration: Configuration, *, org: str, customer: str) -> dict[str, object] | None:
    """Profile, how the points came about, and cases."""
    with _views(configuration) as views:
        profile = views.profile(org, customer)
        if profile is None:
            return None
        return {
            "profile": json_ready(document_of(org, customer, profile)),
            "entries": [
                {"at": e.at, **msgspec.to_builtins(e.entry)} for e in views.entries(org, customer, limit=20)
            ],
            "cases": [msgspec.to_builtins(c.case) for c in views.cases(org, customer=customer)],
        }


async def profiles(configuration: Configuration, *, org: str) -> AsyncIterator[Mapping[str, object]]:
    """Every customer document of the org."""
    with _views(configuration) as views:
        for document in views.profiles(org):
            yield json_ready(document)
