"""Taking an account's verdict, at a run's barrier or at the answer to one customer's sync."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from stream.agents.accounts.book import Book
from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account
from stream.loyalty.cases import conclude
from stream.loyalty.explain import explain
from stream.loyalty.order import OrderLine
from stream.loyalty.reconcile import observed_as_of, verdict

_COMPARED = (Verdict.MATCHED, Verdict.DISCREPANCY, Verdict.TIMING)


def judge(book: Book, account: Account, run: str, as_of: int) -> Account:
    """The account with its verdict; profile, case and alert are said. `as_of`: when the provider was asked.

    `account` may already differ from what is kept (an answer just taken); what the profile shows is compared with that.
    """
    shown = _shown(book.known())

    read: list[tuple[str, OrderLine]] | None = None

    def lines() -> list[tuple[str, OrderLine]]:
        """Read once, by who needs them: the verdict outside the tolerance, and the explanation."""
        nonlocal read
        if read is None:
            read = list(book.lines())
        return read

    judgement = verdict(account, lambda: (line for _, line in lines()), book.rules, as_of)
    conclusion = conclude(
        account,
        judgement,
        book.rules,
        run=run,
        case_prefix=f"{book.org}:{book.customer}",
        at=book.at,
        version=book.turn.version,
        causes=lambda: explain(account, lines(), judgement, book.rules, observed_as_of(account, as_of)),
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


def count(account: Account, counts: Counter[str]) -> None:
    """Add one account to the counts of a run: fields of `Tally`, where those of verdicts have the verdicts' names."""
    reached = account.verdict
    counts["customers"] += 1
    counts[reached] += 1
    counts["with_provider"] += account.provider_points is not None
    if reached in _COMPARED:
        review = account.review
        counts["compared"] += 1
        counts["abs_difference_points"] += abs(review.difference or 0) if review is not None else 0
