"""Commands that decide: on cases and dead letters. Published with their entry in the audit, by the same class as the
dashboard's and the API's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

from stream.bootstrap.browsing import views_at
from stream.bootstrap.places import kafka_of
from stream.bootstrap.serving import require_topics
from stream.contracts.cases import CaseState, Step
from stream.contracts.facts import AcknowledgeCase
from stream.engine.publisher import KafkaPublisher
from stream.errors import LoyaltyError, Unreachable
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerCase, DeadLetter
from stream.web.decisions import CaseDecision, Decisions
from stream.web.erasing import erase_person
from stream.web.originals import KafkaOriginals
from stream.web.problems import Problem
from stream.web.shapes import Json, case_shown
from stream.web.shapes.happenings import letter_shown

AT_ONCE = 8
ERASED_SECONDS = 10.0
UNAVAILABLE = 503


@contextlib.asynccontextmanager
async def decisions_of(configuration: Configuration) -> AsyncIterator[Decisions]:
    """What decisions are published with, while the block runs. A `Problem` in it becomes a LoyaltyError."""
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    await require_topics(bootstrap, configuration.kafka)
    with views_at(configuration) as views, said():
        async with KafkaPublisher(bootstrap, prefix, client_id="cli") as publisher:
            yield Decisions(views, publisher, KafkaOriginals(bootstrap, prefix), clock=now_ms)


def now_ms() -> int:
    """UTC ms."""
    return int(time.time() * 1000)


@contextlib.contextmanager
def said() -> Iterator[None]:
    """What the web would answer as a problem is said as an error."""
    try:
        yield
    except Problem as problem:
        raise (Unreachable if problem.status == UNAVAILABLE else LoyaltyError)(problem.detail) from problem


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────


async def decide_case(configuration: Configuration, decision: CaseDecision) -> Json:
    """`case` as it is after the decision; `inEffect` False: nobody has taken the decision up yet. Raises LoyaltyError
    for a case that is not known, or for one where the rules declined the decision."""
    org = decision.case.partition(":")[0]
    async with decisions_of(configuration) as decisions:
        before = decisions.case(org, decision.case)
        (after,) = await decisions.decide_cases(org, [decision])
    for step in after.case.history:
        if step not in before.case.history and step.what == Step.DECLINED and step.by == decision.by:
            raise LoyaltyError(f"the decision on {decision.case} was declined: {step.note}")
    return {"case": case_shown(after), "inEffect": _in_effect(before, after, decision)}


def _in_effect(before: CustomerCase, after: CustomerCase, decision: CaseDecision) -> bool:
    moved = (after.case.epoch, after.case.version) > (before.case.epoch, before.case.version)
    # Who says once more that they have seen it changes nothing.
    return moved or (isinstance(decision, AcknowledgeCase) and before.case.state is CaseState.ACKNOWLEDGED)


# ── customers ────────────────────────────────────────────────────────────────────────────────────────────────


async def erase_customer(
    configuration: Configuration, *, org: str, customer: str, by: str, because: str
) -> dict[str, object]:
    """Forget a person, for good; `inViews` False: the views have not taken it in yet. Raises LoyaltyError when nobody
    is known by that id."""
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    await require_topics(bootstrap, configuration.kafka)
    with views_at(configuration) as views:
        if views.person(org, customer) is None and views.profile(org, customer) is None:
            raise LoyaltyError(f"no customer {customer} is known in org {org}, so there is nobody to forget.")
        async with KafkaPublisher(bootstrap, prefix, client_id="cli") as publisher:
            await erase_person(publisher, org, customer, by=by, reason=because, now=now_ms())
        gone = True
        try:
            await views.wait_for(lambda now: _is_erased(now, org, customer), timeout=ERASED_SECONDS)
        except TimeoutError:
            gone = False
    return {"orgId": org, "customerId": customer, "inViews": gone}


def _is_erased(views: Views, org: str, customer: str) -> bool:
    person = views.person(org, customer)
    return person is not None and person.erased_at is not None


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────


async def retry_letters(
    configuration: Configuration, *, letters: Sequence[tuple[str, str]], by: str, because: str | None
) -> list[Json]:
    """A record goes into its topic once more and so through today's decoder; a vendor's is read again by a run."""
    async with decisions_of(configuration) as decisions:
        return await _each(letters, lambda org, place: decisions.retry_letter(org, place, by=by, reason=because))


async def discard_letters(
    configuration: Configuration, *, letters: Sequence[tuple[str, str]], by: str, because: str
) -> list[Json]:
    """Nothing is to be done about them any more."""
    async with decisions_of(configuration) as decisions:
        return await _each(letters, lambda org, place: decisions.discard_letter(org, place, by=by, reason=because))


async def _each(letters: Sequence[tuple[str, str]], decide: Callable[[str, str], Awaitable[DeadLetter]]) -> list[Json]:
    """One that fails is said and holds up no other."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(org: str, place: str) -> Json:
        async with turns:
            try:
                return {**letter_shown(await decide(org, place)), "error": None}
            except Problem as problem:
                return {"place": place, "orgId": org, "error": problem.detail}

    return await asyncio.gather(*(one(org, place) for org, place in letters))
