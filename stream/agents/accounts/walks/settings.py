"""SettingsChanged: other rules for every account."""

from __future__ import annotations

from stream.agents.accounts.walks.of_accounts import OfAccounts
from stream.contracts.entries import Cause
from stream.engine.turn import Turn
from stream.loyalty.accrual import recompute


class Recompute(OfAccounts):
    """SettingsChanged: every account anew from its own lines, without reading orders again."""

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Recompute one account."""
        book = self.book(turn, key)
        before = book.account()
        account, changed = recompute(before, book.customer, book.lines(), self.rules)
        for order, line in changed:
            book.keep_line(order, line)
        book.keep(account)
        if account.points != before.points or account.spend_minor != before.spend_minor:
            book.say_entry(
                account,
                Cause.SETTINGS_CHANGED,
                account.spend_minor - before.spend_minor,
                account.points - before.points,
            )
        book.say_profile(account)

    def finish(self, turn: Turn) -> None:
        """The settings themselves were put by the agent."""
