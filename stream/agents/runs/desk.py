"""One org's desk for the event at hand: its runs in state, and what is said of them."""

from __future__ import annotations

import msgspec

from stream.agents.runs.state import OrgRuns, runs_key
from stream.contracts import topics
from stream.contracts.alerts import Alert, encode_alert
from stream.contracts.commands import COMMANDS
from stream.contracts.facts import FACTS
from stream.contracts.names import account_key
from stream.contracts.runs import RUNS
from stream.contracts.settings import SETTINGS, SettingsInForce
from stream.engine.turn import Turn


class Desk:
    """One org in one turn."""

    def __init__(self, turn: Turn, org: str, at: int) -> None:
        self.turn = turn
        self.org = org
        self.at = at
        self._key = runs_key(org)

    def runs(self) -> OrgRuns:
        """The org's runs."""
        return self.turn.state.get(self._key, OrgRuns) or OrgRuns()

    def keep(self, runs: OrgRuns) -> None:
        """Write the org's runs."""
        self.turn.state.put(self._key, runs)

    def say(self, body: msgspec.Struct) -> None:
        """Tell those who watch runs."""
        value = RUNS.encode(body, org=self.org, at=self.at, source=self.turn.source)
        self.turn.emit_here(topics.RUNS, self.org.encode(), value)

    def command(self, body: msgspec.Struct) -> None:
        """Ask producers for something."""
        value = COMMANDS.encode(body, org=self.org, at=self.at, source=self.turn.source)
        self.turn.emit(topics.COMMANDS, self.org.encode(), value)

    def ask(self, customer: str, body: msgspec.Struct) -> None:
        """Tell the customer's account something."""
        value = FACTS.encode(body, org=self.org, customer=customer, at=self.at, source=self.turn.source)
        self.turn.emit(topics.FACTS, account_key(self.org, customer), value)

    def ask_everywhere(self, body: msgspec.Struct, event_id: str) -> None:
        """Tell every accounts partition something."""
        value = FACTS.encode(body, org=self.org, at=self.at, source=self.turn.source, event_id=event_id)
        self.turn.emit_everywhere(topics.FACTS, self.org.encode(), value)

    def publish_settings(self, in_force: SettingsInForce) -> None:
        """The record that producers, sinks and web read."""
        value = SETTINGS.encode(in_force, org=self.org, at=self.at, source=self.turn.source)
        self.turn.emit(topics.SETTINGS, self.org.encode(), value)

    def alert(self, alert: Alert, about: str) -> None:
        """Tell subscribers. `about` makes the id unique within the event."""
        alert_id = self.turn.output_id(topics.ALERTS, self.org, about)
        value, headers = encode_alert(alert, alert_id=alert_id, at=self.at)
        self.turn.emit(topics.ALERTS, self.org.encode(), value, tuple(headers))
