"""Taking an account's verdict, at a run's barrier or at the answer to one customer's sync."""

from __future__ import annotations

from functools import cache

from msgspec.structs import replace

from stream.agents.accounts.book import Book
from stream.contracts.profiles import Verdict
from stream.contracts.runs import Tally
from stream.loyalty.account import Account
from stream.loyalty.cases import conclude
from stream.loyalty.explain import explain
from stream.loyalty.order import OrderLine
from stream.loyalty.reconcile import verdict


def judge(book: Book, account: Account, run: str, as_of: int) -> Account:
    """The account with its verdict; profile, case and alert are said. `as_of`: when the provider was read.

    `account` may already differ from what is kept (an answer just taken); what the profile shows is compared with that.
    """
    shown = _shown(book.known())

    @cache  # read once, by who needs them: the verdict outside the tolerance, and the explanation
    def lines() -> list[tuple[str, OrderLine]]:
        return list(book.lines())

    judgement = verdict(account, lambda: (line for _, line in lines()), book.rules, as_of)
    conclusion = conclude(
        account,
        judgement,
        book.rules,
        run=run,
        case_prefix=f"{book.org}:{book.customer}",
        at=book.at,
        version=book.turn.version,
        causes=lambda: explain(account, lines(), judgement, book.rules, as_of),
    )
    book.keep(conclusion.account)
    if _shown(conclusion.account) != shown:
        book.say_profile(conclusion.account)
    book.say_conclusion(conclusion, run)
    return conclusion.account


def _shown(account: Account | None) -> tuple[object, ...] | None:
    """What a judgement can change of a profile."""
    return None if account is None else (account.verdict, account.balance)


def judged_anew(account: Account, run: str) -> Account:
    """The account as if `run` had not judged it: one customer's look-up may be answered under several identities,
    and the last answer decides."""
    review = account.review
    if review is None or review.run != run:
        return account
    streak = max(review.streak - (review.verdict is Verdict.DISCREPANCY), 0)
    return replace(account, review=replace(review, run="", streak=streak))


def tally_of(account: Account) -> Tally:
    """One account's part in the counts of a run."""
    reached = account.verdict
    compared = reached in (Verdict.MATCHED, Verdict.DISCREPANCY, Verdict.TIMING)
    review = account.review
    apart = abs(review.difference) if compared and review is not None and review.difference is not None else 0
    return Tally(
        customers=1,
        with_provider=int(account.provider_points is not None),
        matched=int(reached is Verdict.MATCHED),
        discrepancy=int(reached is Verdict.DISCREPANCY),
        timing=int(reached is Verdict.TIMING),
        not_enrolled=int(reached is Verdict.NOT_ENROLLED),
        ambiguous=int(reached is Verdict.AMBIGUOUS),
        unknown=int(reached is Verdict.UNKNOWN),
        missing_internal=int(reached is Verdict.MISSING_INTERNAL),
        compared=int(compared),
        abs_difference_points=apart,
    )
