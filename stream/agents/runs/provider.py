"""Whether the loyalty provider answers: people are told once of each outage, and once of its end."""

from __future__ import annotations

from msgspec.structs import replace

from stream.agents.runs.desk import Desk
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.runs import ProviderRecovered, ProviderUnavailable
from stream.loyalty.schedule import MINUTE_MS


def unavailable(desk: Desk, data: ProviderUnavailable) -> None:
    """The provider does not answer, or refuses us."""
    known = desk.runs()
    if known.unavailable_since is None:
        desk.keep(replace(known, unavailable_since=data.since))
        desk.alert(Alert(kind=AlertKind.PROVIDER_UNAVAILABLE, org=desk.org, reason=data.reason), "unavailable")


def recovered(desk: Desk, data: ProviderRecovered) -> None:
    """It answers again."""
    known = desk.runs()
    if known.unavailable_since is not None:
        desk.keep(replace(known, unavailable_since=None, failing=None))
        minutes = max(data.since - known.unavailable_since, 0) // MINUTE_MS
        away = "1 minute" if minutes == 1 else f"{minutes} minutes"
        reason = f"The loyalty provider answers again. It was away for {away}."
        desk.alert(Alert(kind=AlertKind.PROVIDER_RECOVERED, org=desk.org, reason=reason), "recovered")
