"""The other roles of this machine, as they say themselves: whether they are ready, how far behind, what the vendors let
through. Asked when somebody looks; a role that does not answer in a moment is said not to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpx
import msgspec
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

ANSWER_SECONDS = 1.0
ROLES = ("poll", "worker", "sink-firestore", "sink-notify")
"""By the names under which they publish their addresses, in the order in which they are shown."""

Addresses = Callable[[], Mapping[str, str]]
"""Where the roles of this machine answer, by role; others (the log's) may be among them."""


class Readiness(msgspec.Struct, frozen=True):
    """What `/readyz` answers. `reasons`: condition by condition, `ok` or what is missing."""

    ok: bool
    reasons: dict[str, str] = {}

    @property
    def missing(self) -> str:
        """Which conditions are not met, in words."""
        return ", ".join(f"{name}: {said}" for name, said in self.reasons.items() if said != "ok")


@dataclass(frozen=True)
class Behind:
    """How far a reader of the log is behind. `worst`: the partition that is furthest, where any is; `oldest_seconds`:
    age of the oldest record that was not taken in."""

    reader: str
    partitions: int
    records: int
    worst: str | None
    oldest_seconds: float


@dataclass(frozen=True)
class VendorState:
    """One vendor, for one org. `available`: False while its breaker holds requests back. `budget`: requests that may
    be sent at once, by the length of the rate's window. `calls`, `failed`: since the poller started."""

    vendor: str
    available: bool
    budget: tuple[tuple[str, int], ...]
    calls: int
    failed: int


@dataclass(frozen=True)
class RoleState:
    """One role. `ready` None: it does not answer."""

    role: str
    ready: Readiness | None
    behind: tuple[Behind, ...] = ()
    vendors: tuple[VendorState, ...] = ()


async def read_roles(addresses: Mapping[str, str], org: str) -> list[RoleState]:
    """The roles among these addresses, with the vendors of one org. Takes a second at most for each answer."""
    known = [(role, addresses[role]) for role in ROLES if role in addresses]
    if not known:
        return []
    # Addresses are those of this machine: no proxy of the environment has any business between.
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        return list(await asyncio.gather(*(_read(client, role, address, org) for role, address in known)))


async def _read(client: httpx.AsyncClient, role: str, address: str, org: str) -> RoleState:
    try:
        ready, metrics = await asyncio.gather(client.get(f"{address}/readyz"), client.get(f"{address}/metrics"))
        readiness = msgspec.json.decode(ready.content, type=Readiness)
        samples = _samples(text_string_to_metric_families(metrics.text if metrics.is_success else ""))
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, ValueError):
        return RoleState(role, None)
    return RoleState(role, readiness, _behind(samples), _vendors(samples, org))


def _samples(families: Iterable[Metric]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def _behind(samples: Mapping[str, Sequence[Sample]]) -> tuple[Behind, ...]:
    readers: list[Behind] = []
    for label, lag, age in (
        ("agent", "loyalty_lag_records", "loyalty_oldest_unread_seconds"),
        ("sink", "loyalty_sink_lag_records", "loyalty_sink_oldest_unread_seconds"),
    ):
        for reader in sorted({sample.labels.get(label, "") for sample in samples.get(lag, ())}):
            lags = [each for each in samples[lag] if each.labels.get(label) == reader]
            ages = [each.value for each in samples.get(age, ()) if each.labels.get(label) == reader]
            furthest = max(lags, key=lambda sample: sample.value)
            readers.append(
                Behind(
                    reader,
                    partitions=sum("partition" in each.labels for each in lags),
                    records=int(sum(each.value for each in lags)),
                    worst=furthest.labels.get("partition") if furthest.value else None,
                    oldest_seconds=max(ages, default=0.0),
                )
            )
    return tuple(readers)


def _vendors(samples: Mapping[str, Sequence[Sample]], org: str) -> tuple[VendorState, ...]:
    def of(name: str, vendor: str) -> list[Sample]:
        wanted = {"org": org, "vendor": vendor}
        return [each for each in samples.get(name, ()) if wanted.items() <= each.labels.items()]

    vendors = {each.labels.get("vendor", "") for each in samples.get("loyalty_vendor_available", ())}
    return tuple(
        VendorState(
            vendor,
            available=all(each.value for each in of("loyalty_vendor_available", vendor)),
            budget=tuple(
                (each.labels.get("window", ""), int(each.value)) for each in of("loyalty_vendor_budget_left", vendor)
            ),
            calls=int(sum(each.value for each in of("loyalty_vendor_calls_total", vendor))),
            failed=int(
                sum(
                    each.value
                    for each in of("loyalty_vendor_calls_total", vendor)
                    if each.labels.get("outcome") != "ok"
                )
            ),
        )
        for vendor in sorted(vendors)
        if of("loyalty_vendor_available", vendor)
    )
