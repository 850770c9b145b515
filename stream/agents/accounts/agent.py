"""The accounts agent: every fact about a customer, applied to that customer's account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from stream.agents.accounts.book import Book, InForce, RuleBook
from stream.agents.accounts.judging import judge, judged_anew
from stream.agents.accounts.walks import LinkWalk, Recompute, SweepWalk, VerdictBarrier, VerdictWalk, barrier_key
from stream.agents.after_loss import request_run
from stream.contracts import facts, topics
from stream.contracts.commands import LookUpBalance
from stream.contracts.entries import Cause
from stream.contracts.envelope import Event
from stream.contracts.runs import CustomerSynced, RunKind
from stream.engine import state as keys
from stream.engine.agent import Wide
from stream.engine.turn import Turn
from stream.engine.unit import Unit
from stream.errors import BadRecord
from stream.loyalty.account import Account, AnswerKind
from stream.loyalty.accrual import move_away, observe_order
from stream.loyalty.balances import look_up_empty, take_balance, take_movement
from stream.loyalty.casework import CaseCommand, work_on_case
from stream.loyalty.customer import CustomerEffect, erase, observe_customer
from stream.loyalty.rules import compile_rules
from stream.loyalty.snapshots import take_part


async def accounts(units: AsyncIterator[Unit]) -> None:
    """Apply facts about customers to their accounts. State: keys in `stream.engine.state`."""
    agent = Accounts()
    async for unit in units:
        await unit.commit(agent)


class Accounts:
    """See `stream.engine.agent.Agent`."""

    name = "accounts"
    source = topics.FACTS
    vocabulary = facts.FACTS
    heals = False
    renewed: Sequence[bytes] = (b"a|", b"g|")

    def __init__(self) -> None:
        self._rules = RuleBook()
        self._apply: dict[type, Callable[[Book, Any], None]] = {
            facts.OrderObserved: _order,
            facts.OrderReassigned: _reassigned,
            facts.OrderUnreadable: _unreadable,
            facts.OrdersSnapshot: _snapshot,
            facts.CustomerObserved: _customer,
            facts.CustomerErased: _erased,
            facts.BalanceMatched: _balance,
            facts.BalanceMissed: _balance,
            facts.BalanceAbsent: _balance,
            facts.BalanceAmbiguous: _balance,
            facts.MovementMatched: _movement,
            facts.LookUpEmpty: _look_up_empty,
            facts.LookUpFailed: _look_up_failed,
            facts.SyncCustomer: _sync,
            facts.AcknowledgeCase: _case_command,
            facts.AcceptDifference: _case_command,
            facts.SilenceCase: _case_command,
            facts.NoteCase: _case_command,
            facts.AssignCase: _case_command,
            facts.ResolveCase: _case_command,
        }

    def apply(self, event: Event[Any], turn: Turn) -> None:
        """Apply a fact about one customer."""
        handler = self._apply.get(type(event.data))
        if handler is None or not event.customer:
            raise BadRecord(f"{type(event.data).__name__} is not a fact about one customer")
        handler(Book(turn, self._rules.of(turn, event.org), event.org, event.customer, event.at), event.data)

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        """Begin a partition-wide fact."""
        data = event.data
        if isinstance(data, facts.SettingsChanged):
            return self._settings(event, data, turn)
        rules = self._rules.of(turn, event.org)
        if isinstance(data, facts.OrdersSwept):
            return SweepWalk(event, data, rules)
        if isinstance(data, facts.LinksRequested):
            return LinkWalk(event, data, rules)
        if isinstance(data, facts.SweepSeen):
            key = barrier_key(event.org, data.run)
            barrier = (turn.state.get(key, VerdictBarrier) or VerdictBarrier(since=turn.version)).arrived(data)
            turn.state.put(key, barrier)
            return VerdictWalk(event, data, rules, barrier) if barrier.complete(data.partitions) else None
        raise BadRecord(f"{type(data).__name__} must not be partition-wide")

    def _settings(self, event: Event[Any], data: facts.SettingsChanged, turn: Turn) -> Wide | None:
        """Settings are checked again on receipt; on failure the old version stays."""
        rules = compile_rules(data.settings, data.version)
        key = keys.settings_key(event.org)
        known = turn.state.get(key, InForce)
        if known is not None and known.version > data.version:
            return None
        turn.state.put(key, InForce(data.version, data.settings))
        return Recompute(event, rules)

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        """Say an account's profile again, in a new epoch; for each org, ask for a complete walk."""
        if key.startswith(b"g|"):
            request_run(turn, key[2:].decode(), RunKind.DAILY, at)
            return
        org, _, customer = key[2:].decode().partition(":")
        book = Book(turn, self._rules.of(turn, org), org, customer, 0)
        account = book.account()
        book.at = _last_heard_of(book, account)
        book.say_profile(account)


def _last_heard_of(book: Book, account: Account) -> int:
    """UTC ms: when the newest of what is known was observed."""
    times = [line.observed_at for _, line in book.lines()]
    times += [link.balance.observed_at for link in account.links.values() if link.balance is not None]
    times += [known.observed_at for known in (account.attributes, account.presence) if known is not None]
    return max(times, default=0)


def _order(book: Book, fact: facts.OrderObserved) -> None:
    account = book.known()
    if fact.walk_in and (account is None or account.walk_in):
        _walk_in(book, account)
        return
    known = account or book.account()
    effect = observe_order(known, book.line(fact.order), fact, book.rules)
    if effect is None:
        return
    book.keep_line(fact.order, effect.line)
    if effect.account is not account:
        book.keep(effect.account)
    if effect.cause is not None:
        book.say_entry(effect.account, effect.cause, effect.delta_minor, effect.delta_points, fact.order, effect.line)
        book.say_profile(effect.account)


def _walk_in(book: Book, account: Account | None) -> None:
    """The counter's pseudo-customer keeps no lines and earns nothing: its cost is flat."""
    if account is None:
        book.keep(replace(book.account(), walk_in=True))


def _reassigned(book: Book, fact: facts.OrderReassigned) -> None:
    effect = move_away(book.account(), book.line(fact.order), fact, book.rules)
    if effect is None:
        return
    if book.known() is None:
        book.say_profile(effect.account)
    book.keep_line(fact.order, effect.line)
    book.keep(effect.account)
    if effect.cause is not None:
        book.say_entry(effect.account, effect.cause, effect.delta_minor, effect.delta_points, fact.order, effect.line)
        book.say_profile(effect.account)


def _unreadable(book: Book, fact: facts.OrderUnreadable) -> None:
    """A known line keeps its last good value, so there is nothing to do but to have heard of the customer."""
    if book.known() is None:
        account = book.account()
        book.keep(account)
        book.say_profile(account)


def _snapshot(book: Book, fact: facts.OrdersSnapshot) -> None:
    account = take_part(book.account(), fact)
    if account is not None:
        book.keep(account)


def _customer(book: Book, fact: facts.CustomerObserved) -> None:
    _changed(book, observe_customer(book.account(), fact, book.turn.version, book.rules))


def _erased(book: Book, fact: facts.CustomerErased) -> None:
    _changed(book, erase(book.account(), fact))


def _changed(book: Book, effect: CustomerEffect | None) -> None:
    if effect is None:
        return
    new = book.known() is None
    book.keep(effect.account)
    if effect.silent:
        return
    if effect.drop_lines:
        book.drop_lines()
    book.say_links(effect.linked, effect.unlinked)
    if effect.delta_points or effect.delta_minor:
        book.say_entry(effect.account, Cause.EQUITY_CHANGED, effect.delta_minor, effect.delta_points)
    # Somebody who turns out to be the walk-in may have a profile: it must not go on showing points.
    book.say_profile(effect.account, even_walk_in=effect.drop_lines and not new)


def _balance(
    book: Book,
    fact: facts.BalanceMatched | facts.BalanceMissed | facts.BalanceAbsent | facts.BalanceAmbiguous,
) -> None:
    account = take_balance(book.account(), fact)
    run = getattr(fact, "run", None)
    if account is not None:
        book.keep(account)
        book.say_profile(account)
    if run is not None:
        _conclude(book, judged_anew(account, run) if account is not None else book.account(), run)


def _movement(book: Book, fact: facts.MovementMatched) -> None:
    account = take_movement(book.account(), fact)
    if account is not None:
        book.keep(account)
        book.say_profile(account)


def _look_up_empty(book: Book, fact: facts.LookUpEmpty) -> None:
    known = book.known()
    if known is None:
        book.report(CustomerSynced(fact.run, "failed", "neither the point of sale nor the provider knows the customer"))
        return
    account = look_up_empty(known, fact)
    if account is not None:
        account = _answered_elsewhere(book, known, account)
    _conclude(book, account or known, fact.run)


def _answered_elsewhere(book: Book, before: Account, after: Account) -> Account:
    """Contacts does not know of this answer and would not repeat its own: a new link version makes it."""
    anew = {
        identity: replace(link, version=book.turn.version)
        for identity, link in after.links.items()
        if link.balance != (held := before.links[identity].balance) and held and held.kind is not AnswerKind.ABSENT
    }
    book.say_links(tuple(anew.items()), ())
    return replace(after, links=after.links | anew)


def _look_up_failed(book: Book, fact: facts.LookUpFailed) -> None:
    """Nothing is concluded from a provider that did not answer."""
    book.report(CustomerSynced(fact.run, "failed", fact.reason))


def _conclude(book: Book, account: Account, run: str) -> None:
    judged = judge(book, account, run, book.at)
    book.report(CustomerSynced(run, judged.verdict.value))


def _sync(book: Book, fact: facts.SyncCustomer) -> None:
    book.command(LookUpBalance(fact.run))


def _case_command(book: Book, fact: CaseCommand) -> None:
    """What a person wants of a case. The verdict stays: that is the next run's."""
    conclusion = work_on_case(book.account(), fact, book.rules, at=book.at, version=book.turn.version)
    if conclusion.case is not None:
        book.keep(conclusion.account)
        book.say_conclusion(conclusion, "")
