from __future__ import annotations

import re

from prometheus_client import REGISTRY

from stream.ops.metrics import Metrics


def families() -> list[tuple[str, str, tuple[str, ...]]]:
    metrics = [m for m in vars(Metrics()).values() if hasattr(m, "_labelnames")]
    return [(m._name, m._documentation, m._labelnames) for m in metrics]


def test_every_metric_is_named_explained_and_names_no_customer() -> None:
    assert len(families()) > 10
    for name, explanation, labels in families():
        assert re.fullmatch(r"loyalty_[a-z_]+", name)
        assert explanation.endswith(".")
        assert set(labels) <= {
            "org",
            "vendor",
            "outcome",
            "source",
            "agent",
            "partition",
            "stage",
            "verdict",
            "kind",
            "sink",
            "window",
            "reason",
            "channel",
        }


def test_two_processes_worth_of_metrics_do_not_share_anything() -> None:
    first, second = Metrics(), Metrics()
    first.records.labels("accounts").inc()
    assert b'loyalty_records_total{agent="accounts"} 1.0' in first.exposition()
    assert b"accounts" not in second.exposition()
    assert not [name for name in REGISTRY._names_to_collectors if name.startswith("loyalty_")]
