"""One customer's pages for the event at hand: account and lines in state, what is said of them to the outside."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.cases import CASES, Case
from stream.contracts.commands import COMMANDS
from stream.contracts.entries import ENTRIES, Cause, PointsEntry
from stream.contracts.identities import IDENTITIES, ContactLinked, ContactUnlinked
from stream.contracts.names import account_key, identity_key
from stream.contracts.profiles import PROFILES
from stream.contracts.runs import RUNS
from stream.contracts.settings import OrgSettings
from stream.engine import state as keys
from stream.engine.turn import Turn
from stream.errors import BadRecord
from stream.loyalty.account import Account, Link, Version, open_account
from stream.loyalty.cases import Conclusion
from stream.loyalty.order import OrderLine
from stream.loyalty.profile import profile_of
from stream.loyalty.rules import Rules, compile_rules
from stream.loyalty.tiers import tier_of


class InForce(msgspec.Struct, frozen=True, array_like=True):
    """The org's settings in force, as state keeps them."""

    version: int
    settings: OrgSettings


class RuleBook:
    """Compiled rules by org and version: derived from state, so a cache and nothing more."""

    def __init__(self) -> None:
        self._compiled: dict[str, tuple[InForce, Rules]] = {}
        self._asked: tuple[Turn, str, Rules] | None = None

    def of(self, turn: Turn, org: str) -> Rules:
        """The rules in force. Raises `BadRecord` for an org without settings."""
        asked = self._asked
        if asked is not None and asked[0] is turn and asked[1] == org:
            return asked[2]  # settings change in a unit of their own, so a turn has one version
        rules = self._of_state(turn, org)
        self._asked = turn, org, rules
        return rules

    def _of_state(self, turn: Turn, org: str) -> Rules:
        in_force = turn.state.get(keys.settings_key(org), InForce)
        if in_force is None:
            raise BadRecord(f"org {org!r} has no settings: nothing can be counted for it")
        known = self._compiled.get(org)
        if known is None or known[0] != in_force:
            known = self._compiled[org] = (in_force, compile_rules(in_force.settings, in_force.version))
        return known[1]


class Book:
    """One customer in one turn."""

    def __init__(self, turn: Turn, rules: Rules, org: str, customer: str, at: int) -> None:
        self.turn = turn
        self.rules = rules
        self.org = org
        self.customer = customer
        self.at = at
        self._outside = account_key(org, customer)
        self._key = keys.account_key(self._outside)

    def known(self) -> Account | None:
        """The account, if the customer has been heard of."""
        return self.turn.state.get(self._key, Account)

    def account(self) -> Account:
        """The account; a new one for a new customer."""
        return self.known() or open_account(self.customer, self.rules)

    def keep(self, account: Account) -> None:
        """Write the account."""
        self.turn.state.put(self._key, account)

    def line(self, order: str) -> OrderLine | None:
        """What is known of an order."""
        return self.turn.state.get(keys.line_key(self._outside, order), OrderLine)

    def keep_line(self, order: str, line: OrderLine) -> None:
        """Write an order line."""
        self.turn.state.put(keys.line_key(self._outside, order), line)

    def lines(self) -> Iterator[tuple[str, OrderLine]]:
        """All lines with their order ids, markers included."""
        prefix = keys.lines_of(self._outside)
        for key, line in self.turn.state.scan(prefix, OrderLine):
            yield key[len(prefix) :].decode(), line

    def drop_lines(self) -> None:
        """Delete all lines."""
        for order, _ in list(self.lines()):
            self.turn.state.delete(keys.line_key(self._outside, order))

    def say_profile(self, account: Account, *, even_walk_in: bool = False) -> None:
        """The complete profile, once per unit. The walk-in pseudo-customer is nobody: it has none."""
        if account.walk_in and not even_walk_in:
            return
        self.turn.emit_latest(topics.PROFILES, self._outside, self._profile, account, self.turn.version)

    def _profile(self, account: Account, version: Version) -> bytes:
        profile = profile_of(account, self.rules, version, self.at)
        return PROFILES.encode(profile, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)

    def say_entry(
        self,
        account: Account,
        cause: Cause,
        delta_minor: int,
        delta_points: int,
        order: str | None = None,
        line: OrderLine | None = None,
    ) -> None:
        """One step in how the points came about."""
        epoch, version = self.turn.version
        kind = f"{cause.value}-{order}" if order else cause.value
        entry = PointsEntry(
            id=self.turn.output_id(topics.ENTRIES, self.customer, kind),
            cause=cause,
            delta_minor=delta_minor,
            delta_points=delta_points,
            points_after=account.points,
            tier=tier_of(account.points, self.rules.tiers).name,
            settings_version=account.settings_version,
            order=order,
            amount_minor=line.minor if line else None,
            why_not=line.why_not if line else None,
            ordered_at=line.created_at if line else None,
            epoch=epoch,
            version=version,
        )
        value = ENTRIES.encode(entry, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)
        self.turn.emit_here(topics.ENTRIES, self._outside, value)

    def say_links(self, linked: tuple[tuple[str, Link], ...], unlinked: tuple[tuple[str, Link], ...]) -> None:
        """Tell contacts of identities gained and lost."""
        for identity, link in linked:
            self._to_contacts(identity, ContactLinked(identity, link.version, link.linked_at))
        for identity, link in unlinked:
            self._to_contacts(identity, ContactUnlinked(identity, link.version))

    def _to_contacts(self, identity: str, body: ContactLinked | ContactUnlinked) -> None:
        value = IDENTITIES.encode(body, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)
        self.turn.emit(topics.IDENTITIES, identity_key(self.org, identity), value)

    def say_conclusion(self, conclusion: Conclusion, run: str) -> None:
        """Case and alert, where a judgement or a person made any. `run`: empty where it was a person."""
        case = conclusion.case
        if case is None:
            return
        value = CASES.encode(case, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)
        self.turn.emit(topics.CASES, case.id.encode(), value)
        if conclusion.alert is not None and self.rules.live:
            self._alert(case, conclusion.alert, conclusion.reason, run)

    def _alert(self, case: Case, kind: AlertKind, reason: str | None, run: str) -> None:
        alert = Alert(
            kind=kind,
            org=self.org,
            customer=self.customer,
            case=case.id,
            sequence=case.steps,
            ours=case.ours,
            provider=case.provider,
            difference=case.difference,
            tier_ours=tier_of(case.ours, self.rules.tiers).name,
            tier_provider=tier_of(case.provider, self.rules.tiers).name,
            causes=case.causes,
            reason=reason,
            run=run or None,
        )
        value, headers = encode_alert(
            alert, alert_id=self.turn.output_id(topics.ALERTS, self.customer, kind.value), at=self.at
        )
        self.turn.emit(topics.ALERTS, self._outside, value, tuple(headers))

    def command(self, body: msgspec.Struct) -> None:
        """Ask producers for something about this customer."""
        value = COMMANDS.encode(body, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)
        self.turn.emit(topics.COMMANDS, self.org.encode(), value)

    def report(self, body: msgspec.Struct) -> None:
        """Tell runs something about this customer."""
        value = RUNS.encode(body, org=self.org, customer=self.customer, at=self.at, source=self.turn.source)
        self.turn.emit(topics.RUNS, self.org.encode(), value)
