"""The one closed list of metrics. Nothing is measured that is not named here; no label names a customer."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
UNIT_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
ARRIVAL_SECONDS = (1, 2, 3, 5, 6, 10, 20, 30, 60, 120, 300, 900)
RUN_SECONDS = (1, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """One process's metrics on their own registry: built by bootstrap and handed to whoever measures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # producers
        self.vendor_calls = Counter(
            "loyalty_vendor_calls",
            "Requests to a vendor, by how they ended: ok, unavailable, refused, unreadable.",
            ("org", "vendor", "outcome"),
            registry=self.registry,
        )
        self.vendor_call_seconds = Histogram(
            "loyalty_vendor_call_seconds",
            "How long a vendor took to answer.",
            ("org", "vendor"),
            buckets=CALL_SECONDS,
            registry=self.registry,
        )
        self.vendor_budget_left = Gauge(
            "loyalty_vendor_budget_left",
            "Requests that may be sent at once now, by the length of the rate's window in seconds.",
            ("org", "vendor", "window"),
            registry=self.registry,
        )
        self.vendor_available = Gauge(
            "loyalty_vendor_available",
            "1 while a vendor answers, 0 while it is taken to be down.",
            ("org", "vendor"),
            registry=self.registry,
        )
        self.facts_published = Counter(
            "loyalty_facts_published",
            "Facts published and acknowledged, by who found them.",
            ("org", "source"),
            registry=self.registry,
        )
        self.last_poll = Gauge(
            "loyalty_last_poll_timestamp_seconds",
            "When the orders were last read completely.",
            ("org",),
            registry=self.registry,
        )
        # agents
        self.records = Counter(
            "loyalty_records", "Records that an agent has taken in.", ("agent",), registry=self.registry
        )
        self.unit_seconds = Histogram(
            "loyalty_unit_seconds",
            "From the first record of a unit being applied to its commit.",
            ("agent",),
            buckets=UNIT_SECONDS,
            registry=self.registry,
        )
        self.unit_retries = Counter(
            "loyalty_unit_retries", "Transactions aborted and repeated.", ("agent",), registry=self.registry
        )
        self.lag = Gauge(
            "loyalty_lag_records",
            "Records in the log that an agent has not taken in yet.",
            ("agent", "partition"),
            registry=self.registry,
        )
        self.oldest_unread = Gauge(
            "loyalty_oldest_unread_seconds",
            "Age of the oldest record that an agent has not taken in yet, 0 when there is none.",
            ("agent", "partition"),
            registry=self.registry,
        )
        self.order_to_profile_seconds = Histogram(
            "loyalty_order_to_profile_seconds",
            "From a new order in the point of sale to the profile that counts it.",
            ("org",),
            buckets=ARRIVAL_SECONDS,
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "loyalty_dead_letters", "Records given up, by who gave them up.", ("stage",), registry=self.registry
        )
        self.dead_letters_by_reason = Counter(
            "loyalty_dead_letters_by_reason",
            "Records given up by anyone, each once, as they reach the views. The reason is the error's kind.",
            ("org", "stage", "reason"),
            registry=self.registry,
        )
        # runs
        self.customers_synced = Counter(
            "loyalty_customers_synced",
            "Customers whose verdict was taken, by verdict.",
            ("org", "verdict"),
            registry=self.registry,
        )
        self.runs = Counter(
            "loyalty_runs",
            "Reconciliation runs ended, by kind and outcome (completed, failed): the success rate.",
            ("org", "kind", "outcome"),
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "loyalty_run_seconds",
            "How long a run took.",
            ("org", "kind"),
            buckets=RUN_SECONDS,
            registry=self.registry,
        )
        self.average_discrepancy = Gauge(
            "loyalty_average_discrepancy_points",
            "Mean absolute difference over the customers that the provider knows, in the last run.",
            ("org",),
            registry=self.registry,
        )
        # sinks
        self.sink_writes = Counter(
            "loyalty_sink_writes",
            "Documents a sink has dealt with, by outcome: written, unchanged, stale, failed.",
            ("sink", "outcome"),
            registry=self.registry,
        )
        self.sink_lag = Gauge(
            "loyalty_sink_lag_records", "Records that a sink has not written yet.", ("sink",), registry=self.registry
        )
        self.sink_oldest_unread = Gauge(
            "loyalty_sink_oldest_unread_seconds",
            "Age of the oldest record that a sink has not written yet, 0 when there is none.",
            ("sink",),
            registry=self.registry,
        )
        # notifier
        self.notifications = Counter(
            "loyalty_notifications",
            "Attempts to send a message, by outcome: delivered, retrying, paused, given_up.",
            ("org", "channel", "outcome"),
            registry=self.registry,
        )
        self.notifications_waiting = Gauge(
            "loyalty_notifications_waiting",
            "Messages of a channel that are not delivered yet.",
            ("org", "channel"),
            registry=self.registry,
        )
        self.channel_paused = Gauge(
            "loyalty_channel_paused",
            "1 while a channel refuses messages until somebody puts it right, else 0.",
            ("org", "channel"),
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
