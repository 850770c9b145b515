"""Whether the loyalty provider answers: people are told once of each outage, and once of its end."""

from __future__ import annotations

from msgspec.structs import replace

from stream.agents.runs.desk import Desk
from stream.agents.runs.state import OrgRuns
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.runs import Phase, ProviderRecovered, ProviderUnavailable
from stream.loyalty.schedule import MINUTE_MS
from stream.loyalty.wording import PROVIDER

HOUR_MINUTES = 60


def unavailable(desk: Desk, data: ProviderUnavailable) -> None:
    """The provider does not answer, or refuses us."""
    known = desk.runs()
    if known.unavailable_since is None:
        desk.keep(replace(known, unavailable_since=data.since))
        _tell(desk, known, AlertKind.PROVIDER_UNAVAILABLE, data.reason, "unavailable")


def recovered(desk: Desk, data: ProviderRecovered) -> None:
    """It answers again."""
    known = desk.runs()
    if known.unavailable_since is not None:
        desk.keep(replace(known, unavailable_since=None, failing=None))
        reason = f"{PROVIDER} answers again. It was away for {_span(data.since - known.unavailable_since)}."
        _tell(desk, known, AlertKind.PROVIDER_RECOVERED, reason, "recovered")


def answered(desk: Desk) -> None:
    """All balances were read: an outage is over, though who told of it may have ended before noting that it had."""
    if desk.runs().unavailable_since is not None:
        said = ProviderRecovered(desk.at)
        desk.say(said)  # for those who watch
        recovered(desk, said)


def _tell(desk: Desk, known: OrgRuns, kind: AlertKind, reason: str, about: str) -> None:
    """With the run that found it, where one was asking: people read of both in one message."""
    current = known.current
    run = current.run if current is not None and current.phase is Phase.BALANCES else None
    desk.alert(Alert(kind=kind, org=desk.org, reason=reason, run=run), about)


def _span(ms: int) -> str:
    """`less than a minute`, `1 minute`, `3 h 7 min`."""
    minutes = (max(ms, 0) + MINUTE_MS // 2) // MINUTE_MS
    if minutes >= HOUR_MINUTES:
        return f"{minutes // HOUR_MINUTES} h {minutes % HOUR_MINUTES} min"
    return ("less than a minute", "1 minute")[minutes] if minutes < 2 else f"{minutes} minutes"
