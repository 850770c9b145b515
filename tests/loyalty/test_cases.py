from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from stream.contracts.alerts import AlertKind
from stream.contracts.cases import Case, CaseState, Cause, CauseKind, Resolution
from stream.contracts.profiles import Verdict
from stream.contracts.settings import CaseRules, Tolerance
from stream.loyalty.account import Account, Link, open_account
from stream.loyalty.cases import LONGEST_HISTORY, Conclusion, conclude, not_explained
from stream.loyalty.reconcile import Judgement, compare
from stream.loyalty.rules import Rules
from tests.loyalty.builders import CUSTOMER, rules

BRIEF = rules()
OPENED, WORSENED, STANDING, RESOLVED = (
    AlertKind.DISCREPANCY_OPENED,
    AlertKind.DISCREPANCY_WORSENED,
    AlertKind.DISCREPANCY_STANDING,
    AlertKind.DISCREPANCY_RESOLVED,
)
UNKNOWN, TIMING, MISSING = Verdict.UNKNOWN, Verdict.TIMING, Verdict.MISSING_INTERNAL
ABSENT, AMBIGUOUS = Verdict.NOT_ENROLLED, Verdict.AMBIGUOUS


def judged(said: int | Verdict, using: Rules) -> Judgement:
    """Ours is 100; the provider says `said`, or there is a verdict without one."""
    if isinstance(said, Verdict):
        known = said in (TIMING, MISSING)
        return Judgement(said, 100, "Bronze", 150 if known else None, 50 if known else None)
    reached = Verdict.MATCHED if compare(100, said, using.tolerance).within else Verdict.DISCREPANCY
    return Judgement(reached, 100, "Bronze", said, said - 100, "Silver" if said >= 500 else "Bronze")


def enrolled(using: Rules) -> Account:
    return replace(open_account(CUSTOMER, using), links={"code:1": Link((0, 1), 1)})


def run(
    account: Account,
    said: int | Verdict,
    using: Rules,
    number: int,
    *,
    at: int | None = None,
    causes: Callable[[], tuple[Cause, ...]] = not_explained,
) -> Conclusion:
    return conclude(
        account,
        judged(said, using),
        using,
        run=f"run-{number}",
        case_prefix="org:3528",
        at=1_000 * number if at is None else at,
        version=(0, number),
        causes=causes,
    )


def life(using: Rules, *said: int | Verdict) -> list[Conclusion]:
    conclusions, account = [], enrolled(using)
    for number, each in enumerate(said, start=1):
        conclusions.append(run(account, each, using, number))
        account = conclusions[-1].account
    return conclusions


PATIENT = rules(cases=CaseRules(opens_after=3))
HYSTERESIS = rules(cases=CaseRules(closes_percent=Decimal(5)))
ALWAYS_WORSE = rules(cases=CaseRules(worsens_percent=Decimal(0), worsens_points=1))


@pytest.mark.parametrize(
    ("using", "said", "alerts", "because"),
    [
        (BRIEF, [110], [None], "the sides agree"),
        (BRIEF, [200], [OPENED], "the first observation opens"),
        (BRIEF, [200, 200, 200], [OPENED, None, None], "one case, told once"),
        (BRIEF, [200, 100], [OPENED, RESOLVED], "the sides agree again"),
        (BRIEF, [200, 100, 200], [OPENED, RESOLVED, OPENED], "a new case after the old one"),
        (BRIEF, [200, 224], [OPENED, None], "24 % more is not materially worse"),
        (BRIEF, [200, 225], [OPENED, WORSENED], "25 % more is"),
        (BRIEF, [200, 224, 225], [OPENED, None, WORSENED], "growth counts from what was last told"),
        (BRIEF, [200, 225, 256, 257], [OPENED, WORSENED, None, WORSENED], "and from the new figure after that"),
        (BRIEF, [120, 129], [OPENED, None], "45 % more, but fewer than 10 points"),
        (BRIEF, [120, 130], [OPENED, WORSENED], "10 points more"),
        (BRIEF, [50, 20], [OPENED, WORSENED], "the other direction"),
        (BRIEF, [200, 150], [OPENED, None], "smaller is not worse"),
        (ALWAYS_WORSE, [200, 200], [OPENED, None], "the same is never worse"),
        (BRIEF, [200, UNKNOWN, TIMING, MISSING, 200], [OPENED] + [None] * 4, "left as it is"),
        (BRIEF, [200, ABSENT], [OPENED, RESOLVED], "no balance left that could be wrong"),
        (BRIEF, [200, AMBIGUOUS], [OPENED, RESOLVED], "nobody's balance for sure"),
        (BRIEF, [UNKNOWN, TIMING, MISSING, ABSENT, AMBIGUOUS], [None] * 5, "only a discrepancy alerts"),
        (PATIENT, [200, 200, 200], [None, None, OPENED], "three in a row"),
        (PATIENT, [200, 200, 100, 200, 200], [None] * 5, "agreement ends the row"),
        (PATIENT, [200, 200, TIMING, 200, 200], [None] * 5, "so does a lag"),
        (PATIENT, [200, 200, UNKNOWN, 200], [None, None, None, OPENED], "no answer is no observation"),
        (HYSTERESIS, [200, 108], [OPENED, None], "within 10 %, but not within the 5 % that close"),
        (HYSTERESIS, [200, 108, 105], [OPENED, None, RESOLVED], "4.8 % closes"),
    ],
)
def test_life_of_a_case(using: Rules, said: list[int | Verdict], alerts: list[AlertKind | None], because: str) -> None:
    assert [each.alert for each in life(using, *said)] == alerts, because


def test_a_case_tells_its_story() -> None:
    *_, last = conclusions = life(BRIEF, 200, 300, 600, 100)
    assert last.case is not None
    assert [(step.what, step.at, step.by, step.provider) for step in last.case.history] == [
        ("opened", 1_000, "run-1", 200),
        ("worsened", 2_000, "run-2", 300),
        ("worsened", 3_000, "run-3", 600),
        ("resolved", 4_000, "run-4", 100),
    ]
    assert (last.case.id, last.case.state, last.case.resolved_at) == ("org:3528:1", CaseState.RESOLVED, 4_000)
    assert (last.case.epoch, last.case.version) == (0, 4)
    assert conclusions[2].case is not None
    assert conclusions[2].case.tier_differs


def test_cases_of_a_customer_are_counted() -> None:
    conclusions = life(BRIEF, 200, 100, 200)
    assert [each.case.id for each in conclusions if each.case] == ["org:3528:1", "org:3528:1", "org:3528:2"]
    review = conclusions[1].account.review
    assert review is not None
    assert review.case is not None
    assert (review.case.state, review.case.resolved_as) == (CaseState.RESOLVED, Resolution.AGREED)


def test_a_case_that_did_not_change_is_not_published_again() -> None:
    assert [each.case is None for each in life(BRIEF, 200, 200, UNKNOWN, 210)] == [False, True, True, False]


def test_a_case_that_ends_without_agreement_says_why() -> None:
    last = life(BRIEF, 200, ABSENT)[-1].case
    assert last is not None
    assert (last.history[-1].note, last.provider) == ("not_enrolled", 200)


def test_judging_again_in_the_same_run_changes_nothing() -> None:
    first = run(open_account(CUSTOMER, PATIENT), 200, PATIENT, 1)
    again = run(first.account, 200, PATIENT, 1)
    assert again == Conclusion(first.account)


def test_history_is_bounded_and_keeps_the_opening() -> None:
    last = life(BRIEF, *(200 + number for number in range(LONGEST_HISTORY * 2)))[-1].case
    assert last is not None
    assert len(last.history) == LONGEST_HISTORY
    assert (last.history[0].what, last.history[-1].provider) == ("opened", 200 + LONGEST_HISTORY * 2 - 1)


def test_the_steps_of_a_case_are_counted_beyond_its_history() -> None:
    last = life(BRIEF, *(200 + number for number in range(LONGEST_HISTORY * 2)))[-1].case
    assert last is not None
    assert last.steps == LONGEST_HISTORY * 2


HOURS = 3_600_000
DAILY = rules(cases=CaseRules(reminds_after_hours=24))
HOURLY = rules(cases=CaseRules(reminds_after_hours=1))


@pytest.mark.parametrize(
    ("using", "said", "alerts", "because"),
    [
        (BRIEF, {0: 200, 1_000: 200}, [OPENED, None], "without a reminder once is enough"),
        (DAILY, {0: 200, 22: 200, 24: 200}, [OPENED, None, STANDING], "after 24 hours, not before"),
        (DAILY, {0: 200, 24: 200, 46: 200, 48: 200}, [OPENED, STANDING, None, STANDING], "and again after that"),
        (DAILY, {0: 200, 20: 300, 42: 300, 44: 300}, [OPENED, WORSENED, None, STANDING], "since the last word"),
        (DAILY, {0: 200, 23: 200}, [OPENED, STANDING], "a run that ends earlier than last night's is not too early"),
        (HOURLY, {0: 200, 1: 200}, [OPENED, STANDING], "each hour"),
        (DAILY, {0: 200, 24: 300}, [OPENED, WORSENED], "worse is more than the same again"),
        (DAILY, {0: 200, 30: UNKNOWN, 31: 200}, [OPENED, None, STANDING], "no answer does not say that it stands"),
        (DAILY, {0: 200, 30: TIMING, 31: 100}, [OPENED, None, RESOLVED], "what is over does not stand"),
        (DAILY, {0: 200, 24: 150, 25: 200}, [OPENED, STANDING, WORSENED], "worse than what was told last"),
        (DAILY, {0: 100, 24: 100}, [None, None], "without a case there is nothing to remind of"),
    ],
)
def test_a_case_that_still_stands_is_told_again_after_a_set_time(
    using: Rules, said: dict[int, int | Verdict], alerts: list[AlertKind | None], because: str
) -> None:
    told, account = [], enrolled(using)
    for hour, each in said.items():
        conclusion = run(account, each, using, hour, at=hour * HOURS + 1)
        told.append(conclusion.alert)
        account = conclusion.account
    assert told == alerts, because


def test_a_case_carries_the_causes_of_its_newest_figures() -> None:
    account, carried = open_account(CUSTOMER, BRIEF), []
    for number, (said, points) in enumerate([(200, 100), (200, 100), (200, 99), (210, 110), (100, 0)], start=1):
        causes = (Cause(CauseKind.UNEXPLAINED, points),)
        concluded = run(account, said, BRIEF, number, causes=lambda causes=causes: causes)
        account = concluded.account
        carried.append(None if concluded.case is None else [each.points for each in concluded.case.causes])
    assert carried == [[100], None, [99], [110], []], "published when they change; none once the sides agree"
    case = account.review.case if account.review else None
    assert case is not None
    assert [step.what for step in case.history] == ["opened", "changed", "resolved"]


def test_nobody_is_asked_for_causes_where_no_case_is_open() -> None:
    def never() -> tuple[Cause, ...]:
        raise AssertionError("explaining costs the reading of all lines")

    account = open_account(CUSTOMER, PATIENT)
    for number, said in enumerate([100, 200, UNKNOWN, 200, 100, TIMING], start=1):
        account = run(account, said, PATIENT, number, causes=never).account


def test_a_tier_that_differs_within_the_tolerance_is_said_and_alerts_nobody() -> None:
    judgement = Judgement(Verdict.MATCHED, 499, "Bronze", 510, 11, "Silver")
    assert judgement.tier_differs
    assert not Judgement(Verdict.MATCHED, 499, "Bronze", 480, -19, "Bronze").tier_differs
    assert not Judgement(Verdict.UNKNOWN, 499, "Bronze").tier_differs
    account = open_account(CUSTOMER, BRIEF)
    concluded = conclude(account, judgement, BRIEF, run="r", case_prefix="org:3528", at=1, version=(0, 1))
    assert (concluded.case, concluded.alert) == (None, None)


def test_a_floor_keeps_small_differences_from_opening() -> None:
    assert life(rules(tolerance=Tolerance(floor_points=100)), 200)[0].alert is None


def test_an_account_with_a_case_survives_being_stored() -> None:
    account = life(BRIEF, 200, 300)[-1].account
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(account), type=Account) == account
    assert account.review is not None
    assert isinstance(account.review.case, Case)
