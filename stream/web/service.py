"""The one service behind API, dashboard, command line and agent tool.

Everything is read from the views; what people ask for is published. Methods raise `Problem` (`stream.web.problems`) for
what cannot be answered: 404 for an org or customer that is not known, 409 for an org that cannot be reconciled yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import NotRequired

from typing_extensions import TypedDict

from stream.contracts.names import customer_id as checked_customer
from stream.contracts.runs import RunKind
from stream.engine.ports import Publisher
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run
from stream.web import counter, finding
from stream.web.asking import request_run, run_id, slot_of
from stream.web.phones import DEFAULT_REGION
from stream.web.problems import Problem, not_found
from stream.web.shapes.customers import Report, report
from stream.web.shapes.runs import RunShown, run_shown
from stream.web.shapes.status import as_of
from stream.web.shapes.times import time_shown

WAIT_SECONDS_MAX = 60.0
LIBRARY = "python"
WAITING_MAX = 20
LATELY_MS = 900_000
"""A run that was asked for longer ago and has not begun may never begin."""
LOOKED_AT = 100
REFRESHED_BY_CUSTOMER = ("contact data", "balance", "verdict")


class SyncAnswer(TypedDict):
    """`runId`, and `follow`: where to see how it goes (with `/events` appended: as it goes). `run` null: nobody has
    taken it up yet. `refreshes`: what such a run reads anew. `asOf`: up to when each part is known; with a customer
    their contact data, balance, points and, once the run has ended, verdict too."""

    success: bool
    runId: str
    orgId: str
    customerId: str | None
    status: str
    follow: str
    run: RunShown | None
    refreshes: list[str]
    asOf: dict[str, str | None]
    report: NotRequired[Report]


class LoyaltySync:
    """`regions`: by org, whose phone numbers are meant when they name no country. `clock`: UTC ms.

    `by` in every method that changes something: who asks, as the audit names them.
    """

    def __init__(
        self,
        views: Views,
        publisher: Publisher,
        *,
        regions: Mapping[str, str] | None = None,
        clock: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self.views = views
        self._publisher = publisher
        self._regions = regions or {}
        self._clock = clock

    # ── syncs ────────────────────────────────────────────────────────────────────────────────────────────────

    async def sync_customer(
        self,
        customer_id: str,
        org_id: str,
        *,
        by: str = LIBRARY,
        key: str | None = None,
        wait_seconds: float = 0,
        reason: str | None = None,
    ) -> SyncAnswer:
        """Ask the provider for this customer's balance now and compare.

        `key`: the same one again asks for the same run; with another customer it is another run. With `wait_seconds`
        the answer comes when the run has ended, or after so long. `reason`: why, for the audit.
        """
        checked_customer(customer_id)
        await asyncio.to_thread(self._require_customer, org_id, customer_id)
        run = await self._request(org_id, customer_id, by, key, reason)
        return await self._followed(run, org_id, customer_id, wait_seconds)

    async def sync_all_customers(
        self,
        org_id: str,
        *,
        by: str = LIBRARY,
        key: str | None = None,
        wait_seconds: float = 0,
        reason: str | None = None,
    ) -> SyncAnswer:
        """Reconcile the whole org: orders, then balances, then verdicts.

        Without a `key` a run that waits for its turn is joined: it will read all that there is by then. Raises Problem
        429 when too many wait.
        """
        await asyncio.to_thread(self._require_ready, org_id)
        run = await self._request(org_id, None, by, key, reason)
        return await self._followed(run, org_id, None, wait_seconds)

    async def run_ended(self, run: str, *, wait_seconds: float) -> Run | None:
        """The run when it has ended, or as it is after so long; None when nobody has taken it up."""

        def ended(views: Views) -> bool:
            found = views.run(run)
            return found is not None and found.outcome is not None

        with contextlib.suppress(TimeoutError):
            await self.views.wait_for(ended, timeout=min(wait_seconds, WAIT_SECONDS_MAX))
        return self.views.run(run)

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────

    async def get_reconciliation_report(self, customer_id: str, org_id: str) -> Report:
        """Both sides of a customer, the difference, the verdict, cases with their causes, how the points came about."""
        found = await asyncio.to_thread(report, self.views, org_id, customer_id)
        if found is None:
            raise not_found(f"customer {customer_id!r} of org {org_id!r}")
        return found

    async def check_points(self, phone: str, org_id: str) -> counter.PointsAnswer:
        """The brief's nested answer for whoever has this number (in any usual form). A number that nobody or that
        several people have is an answer too (`found` false, `reason`)."""
        return await asyncio.to_thread(self._check_points, phone, org_id)

    async def explain_points(self, phone_or_customer: str, org_id: str) -> counter.Explanation:
        """What to say to the customer, what only staff may know, the likely causes of a difference, and how old each
        part is; for a phone number or a customer id."""
        return await asyncio.to_thread(self._explain_points, phone_or_customer, org_id)

    def region_of(self, org_id: str) -> str:
        """Whose phone numbers are meant."""
        return self._regions.get(org_id, DEFAULT_REGION)

    def _check_points(self, phone: str, org: str) -> counter.PointsAnswer:
        self._require_org(org)
        return counter.points_answer(self.views, org, finding.at_phone(self.views, org, phone, self.region_of(org)))

    def _explain_points(self, who: str, org: str) -> counter.Explanation:
        self._require_org(org)
        found = finding.whoever(self.views, org, who, self.region_of(org))
        return counter.explanation(self.views, org, found, now=self._clock())

    async def _request(self, org: str, customer: str | None, by: str, key: str | None, reason: str | None) -> str:
        now = self._clock()
        kind = RunKind.DAILY if customer is None else RunKind.CUSTOMER
        run = run_id(org, customer, slot_of(key, now))
        if customer is None:
            waiting = await asyncio.to_thread(self._waiting, org, now)
            if waiting and key is None:
                run = waiting[0]
            elif len(waiting) >= WAITING_MAX and run not in waiting:
                raise Problem(429, f"{len(waiting)} runs wait for their turn already", headers={"retry-after": "60"})
        await request_run(self._publisher, run, org=org, customer=customer, kind=kind, by=by, now=now, reason=reason)
        return run

    def _waiting(self, org: str, now: int) -> list[str]:
        """Runs of the whole org that were asked for lately and have not begun."""
        return [
            run.run
            for run in self.views.runs(org, limit=LOOKED_AT)
            if run.outcome is None and run.started_at is None and run.kind == RunKind.DAILY
            if now - (run.requested_at or 0) < LATELY_MS
        ]

    async def _followed(self, run: str, org: str, customer: str | None, wait_seconds: float) -> SyncAnswer:
        found = await self.run_ended(run, wait_seconds=wait_seconds) if wait_seconds > 0 else None
        return await asyncio.to_thread(self._sync_answer, org, customer, run, found)

    def _sync_answer(self, org: str, customer: str | None, run: str, found: Run | None) -> SyncAnswer:
        found = found or self.views.run(run)
        status = "requested" if found is None else found.outcome or "running"
        answer: SyncAnswer = {
            "success": status != "failed",
            "runId": run,
            "orgId": org,
            "customerId": customer,
            "status": status,
            "follow": f"/api/v1/orgs/{org}/runs/{run}",
            "run": run_shown(found) if found is not None else None,
            "refreshes": ["orders", "contact data", "balances", "verdicts"]
            if customer is None
            else list(REFRESHED_BY_CUSTOMER),
            "asOf": as_of(self.views, org),
        }
        if customer is not None:
            answer["asOf"] |= self._ages(org, customer)
            if found is not None and status == "completed":
                answer["asOf"]["verdict"] = time_shown(found.ended_at)
                if (shown := report(self.views, org, customer)) is not None:
                    answer["report"] = shown
        return answer

    def _ages(self, org: str, customer: str) -> dict[str, str | None]:
        """Up to when each part of a customer is known."""
        profile = self.views.profile(org, customer)
        return {
            "contactData": time_shown(self.views.contact_read_at(org, customer)),
            "balance": time_shown(profile.balance_as_of) if profile is not None else None,
            "points": time_shown(profile.calculated_at) if profile is not None else None,
        }

    # ── what there is ────────────────────────────────────────────────────────────────────────────────────────

    def _require_org(self, org: str) -> None:
        if not self.views.known(org):
            raise not_found(f"org {org!r}")

    def _require_ready(self, org: str) -> None:
        self._require_org(org)
        if self.views.settings(org) is None:
            raise Problem(409, f"org {org!r} has no settings yet: they come with the first start of its poller")

    def _require_customer(self, org: str, customer: str) -> None:
        self._require_ready(org)
        if self.views.profile(org, customer) is None and self.views.person(org, customer) is None:
            raise not_found(f"customer {customer!r} of org {org!r}")
