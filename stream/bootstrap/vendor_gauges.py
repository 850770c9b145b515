"""What is known of one org's vendors in this process, for health and metrics."""

from __future__ import annotations

from producers.alleaves.poller import Poller, PollResult
from producers.http import VendorHttp
from stream.bootstrap.measuring import Raised
from stream.contracts.names import OrgId
from stream.ops.metrics import Metrics

OUTCOMES = {
    "connection": "unavailable",
    "timeout": "unavailable",
    "server": "unavailable",
    "throttled": "unavailable",
    "unreadable": "unreadable",
    "refused": "refused",
}
"""`Budget.errors` as the metric's outcomes."""


class VendorGauges:
    """One org's vendors."""

    def __init__(self, metrics: Metrics, org: OrgId, shop: VendorHttp, provider: VendorHttp) -> None:
        self._metrics = metrics
        self.org = org
        self._vendors = {"alleaves": shop, "alpine_iq": provider}
        self._calls = Raised(metrics.vendor_calls)
        self._poller: Poller | None = None
        for vendor, http in self._vendors.items():
            http.timed(metrics.vendor_call_seconds.labels(org, vendor).observe)

    def watched(self, poller: Poller) -> Poller:
        """This poller works for the org from now on."""
        self._poller = poller
        return poller

    def polled(self, _: PollResult) -> None:
        """A poll succeeded."""
        self._metrics.last_poll.labels(self.org).set_to_current_time()

    @property
    def polling(self) -> bool:
        """Whether the org's settings are known, so that its orders are polled."""
        return self._poller is not None

    @property
    def answers(self) -> bool:
        """Whether the point of sale answered the last poll."""
        status = self._poller.status if self._poller else None
        return status is not None and status.last_success_at is not None and not status.failures_in_a_row

    @property
    def reason(self) -> str | None:
        """Why it did not."""
        return self._poller.status.reason if self._poller else None

    def look(self) -> None:
        """Bring metrics up to date."""
        for vendor, http in self._vendors.items():
            by_outcome = dict.fromkeys(OUTCOMES.values(), 0)
            for kind, count in http.budget.errors.items():
                by_outcome[OUTCOMES[kind]] += count
            for outcome, count in by_outcome.items():
                self._calls.to((self.org, vendor, outcome), count)
            self._calls.to((self.org, vendor, "ok"), max(http.budget.calls - sum(by_outcome.values()), 0))
            self._metrics.vendor_available.labels(self.org, vendor).set(0 if http.breaker.is_open else 1)
            for seconds, left in http.budget.left().items():
                self._metrics.vendor_budget_left.labels(self.org, vendor, f"{seconds:g}s").set(left)
