"""What people do to a case holds, is written down with actor and time, and never vanishes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.contracts.cases import AcceptedDifference, Case
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.contracts.settings import CaseRules
from stream.errors import BadRecord
from stream.loyalty.account import open_account
from stream.loyalty.balances import take_balance
from stream.loyalty.cases import conclude
from stream.loyalty.casework import CaseCommand, work_on_case
from stream.loyalty.reconcile import verdict
from stream.loyalty.rules import Rules
from tests.loyalty.builders import CUSTOMER, SETTLED_AT, Ledger, matched, order, rules, with_balance

DAY = 86_400_000
CASE = "org:3528:1"
BRIEF = rules()
PATIENT = rules(cases=CaseRules(opens_after=2))
DAILY = rules(cases=CaseRules(reminds_after_hours=24))
HYSTERESIS = rules(cases=CaseRules(closes_percent=Decimal(5)))

Happening = int | None | CaseCommand
"""What the provider says in a run (None: nothing), or what a person does."""


def day(number: int) -> int:
    """UTC ms of a day of the story, long after the customer's orders."""
    return SETTLED_AT + number * DAY


def accept(points: int, until: int | None = None, case: str = CASE) -> AcceptDifference:
    return AcceptDifference(case, "ann", points, "redeemed by hand", None if until is None else day(until))


def silence(until: int) -> SilenceCase:
    return SilenceCase(CASE, "ann", day(until))


ACKNOWLEDGE = AcknowledgeCase(CASE, "ann", "looking")
RESOLVE = ResolveCase(CASE, "ann", "told the provider")
NOTE = NoteCase(CASE, "bob", "he called")


class Story:
    """A customer with 1000 points from orders; something happens each day, from day 0."""

    def __init__(self, using: Rules, *happenings: Happening) -> None:
        self.using = using
        self.day = -1
        self.ledger = Ledger(using).take(order(100_000))
        self.account = with_balance(self.ledger.account, None, using)
        self.alerts: list[str | None] = []
        self.reasons: list[str | None] = []
        self.verdicts: list[str] = []
        for each in happenings:
            self.happens(each)

    def happens(self, what: Happening) -> None:
        self.day += 1
        if isinstance(what, int | None):
            answered = take_balance(self.account, matched(what, self.day + 2, observed_at=day(self.day)))
            assert answered is not None
            judged = verdict(answered, self.ledger.lines.values, self.using, day(self.day))
            self.verdicts.append(judged.verdict.value)
            run = f"r{self.day}"
            concluded = conclude(
                answered, judged, self.using, run=run, case_prefix="org:3528", at=day(self.day), version=(0, self.day)
            )
        else:
            concluded = work_on_case(self.account, what, self.using, at=day(self.day), version=(0, self.day))
        self.account = concluded.account
        self.alerts.append(concluded.alert and concluded.alert.removeprefix("discrepancy."))
        self.reasons.append(concluded.reason)

    @property
    def case(self) -> Case:
        assert self.account.review is not None
        assert self.account.review.case is not None
        return self.account.review.case

    @property
    def steps(self) -> list[str]:
        return [step.what for step in self.case.history]


LIVES = {
    "an accepted difference is over at once": (
        BRIEF,
        [800, accept(-200), 800, 800],
        ["opened", "resolved", None, None],
    ),
    "and stays over within the tolerance around it": (
        BRIEF,
        [800, accept(-200), 720, 900, 800],
        ["opened", "resolved", None, None, None],
    ),
    "when the difference moves away the case opens again": (
        BRIEF,
        [800, accept(-200), 800, 600],
        ["opened", "resolved", None, "opened"],
    ),
    "also to the other side": (
        BRIEF,
        [800, accept(-200), 1_200],
        ["opened", "resolved", "opened"],
    ),
    "and is over again when it comes back": (
        BRIEF,
        [800, accept(-200), 600, 800],
        ["opened", "resolved", "opened", "resolved"],
    ),
    "when its time has passed the case opens again": (
        BRIEF,
        [800, accept(-200, until=4), 800, 800, 800, 800],
        ["opened", "resolved", None, None, "opened", None],
    ),
    "an acceptance can be renewed": (
        BRIEF,
        [800, accept(-200, until=4), 800, accept(-200, until=9), 800, 800],
        ["opened", "resolved", None, None, None, None],
    ),
    "an acceptance whose time has passed already ends the one before": (
        BRIEF,
        [800, accept(-200), 800, accept(-200, until=1), 800],
        ["opened", "resolved", None, None, "opened"],
    ),
    "what is accepted before it is so is awaited": (
        BRIEF,
        [800, accept(-500), 800, 500],
        ["opened", None, None, "resolved"],
    ),
    "also over a case that was opened meanwhile": (
        BRIEF,
        [800, accept(-200), 1_000, 500, 800],
        ["opened", "resolved", None, "opened", "resolved"],
    ),
    "one whose time has passed already ends nothing": (
        BRIEF,
        [800, accept(-200, until=0), 800],
        ["opened", None, None],
    ),
    "a positive difference is accepted as well": (
        BRIEF,
        [1_500, accept(500), 1_500, 920],
        ["opened", "resolved", None, None],
    ),
    "the sides may come to agree by themselves, and a new case opens after that": (
        BRIEF,
        [800, accept(-200), 1_000, 500],
        ["opened", "resolved", None, "opened"],
    ),
    "an acceptance outlives the agreement": (
        BRIEF,
        [800, accept(-200), 1_000, 800, 800],
        ["opened", "resolved", None, None, None],
    ),
    "an accepted difference holds within the tolerance, not only within the closing limit": (
        HYSTERESIS,
        [800, accept(-230), 830, 770],
        ["opened", "resolved", None, None],
    ),
    "a case opens again after as many observations as at first": (
        PATIENT,
        [800, 800, accept(-200), 500, 500],
        [None, "opened", "resolved", None, "opened"],
    ),
    "silence holds back what is worse until it ends": (
        BRIEF,
        [800, silence(4), 600, 500, 500],
        ["opened", None, None, None, "worsened"],
    ),
    "and what is over": (
        BRIEF,
        [800, silence(9), 1_000, 800],
        ["opened", None, None, "opened"],
    ),
    "silence holds back reminders": (
        DAILY,
        [800, silence(4), 800, 800, 800, 800],
        ["opened", None, None, None, "standing", "standing"],
    ),
    "silence can be ended": (
        BRIEF,
        [800, silence(9), 600, silence(1), 600],
        ["opened", None, None, None, "worsened"],
    ),
    "what a person ends is over": (
        BRIEF,
        [800, RESOLVE, 1_000],
        ["opened", "resolved", None],
    ),
    "and is a new case where the difference still stands": (
        BRIEF,
        [800, RESOLVE, 800],
        ["opened", "resolved", "opened"],
    ),
    "after as many observations as at first": (
        PATIENT,
        [800, 800, RESOLVE, 800, 800],
        [None, "opened", "resolved", None, "opened"],
    ),
    "acknowledging, noting and assigning tell nobody": (
        BRIEF,
        [800, ACKNOWLEDGE, NOTE, AssignCase(CASE, "ann", "bob"), 800],
        ["opened", None, None, None, None],
    ),
    "an acknowledged case is reminded of and gets worse like any other": (
        DAILY,
        [800, ACKNOWLEDGE, 800, 500, 1_000],
        ["opened", None, "standing", "worsened", "resolved"],
    ),
    "no balance is no reason to open an accepted one": (
        BRIEF,
        [800, accept(-200), None, 800],
        ["opened", "resolved", None, None],
    ),
}


@pytest.mark.parametrize(("using", "happenings", "alerts"), LIVES.values(), ids=LIVES)
def test_what_people_hear(using: Rules, happenings: list[Happening], alerts: list[str | None]) -> None:
    assert Story(using, *happenings).alerts == alerts


def test_an_accepted_difference_agrees_and_is_still_shown() -> None:
    story = Story(BRIEF, 800, accept(-200), 790, 600)
    assert story.verdicts == ["discrepancy", "matched", "discrepancy"]
    assert story.case.difference == -400


def test_an_accepted_difference_does_not_hide_an_order_that_the_provider_cannot_have_seen() -> None:
    story = Story(BRIEF, 800, accept(-200))
    recent = order(50_000, "2", created_at=day(1) + 1, observed_at=day(1) + 1)
    story.ledger.account = story.account
    story.account = story.ledger.take(recent).account
    story.happens(800)
    assert (story.verdicts[-1], story.alerts[-1]) == ("timing", None)
    story.happens(800)
    assert (story.verdicts[-1], story.alerts[-1]) == ("discrepancy", "opened")


def test_how_and_why_a_case_ended_and_opened_again() -> None:
    story = Story(BRIEF, 800, accept(-200, until=3), 800, 800, RESOLVE)
    assert story.reasons == [None, "accepted", None, "the acceptance has ended", "closed"]
    moved = Story(BRIEF, 800, accept(-200), 500, 1_000)
    assert moved.reasons == [None, "accepted", "the difference is no longer the accepted one", "agreed"]
    assert story.case.id == moved.case.id == CASE, "the same case again"
    ends = []
    again = Story(BRIEF)
    for each in (800, accept(-200), 500, RESOLVE, 1_000):
        again.happens(each)
        ends.append((again.case.state.value, again.case.resolved_as, again.case.resolved_at))
    assert ends == [
        ("open", None, None),
        ("resolved", "accepted", day(1)),
        ("open", None, None),
        ("resolved", "closed", day(3)),
        ("resolved", "closed", day(3)),
    ]


def test_every_step_is_kept_with_actor_time_and_what_was_said() -> None:
    story = Story(
        BRIEF, 800, ACKNOWLEDGE, AssignCase(CASE, "ann", "bob"), NOTE, silence(5), accept(-500, until=9), RESOLVE
    )
    assert [(s.what, s.at, s.by, s.note, s.points, s.until, s.to) for s in story.case.history] == [
        ("opened", day(0), "r0", None, None, None, None),
        ("acknowledged", day(1), "ann", "looking", None, None, None),
        ("assigned", day(2), "ann", None, None, None, "bob"),
        ("noted", day(3), "bob", "he called", None, None, None),
        ("silenced", day(4), "ann", None, None, day(5), None),
        ("accepted", day(5), "ann", "redeemed by hand", -500, day(9), None),
        ("resolved", day(6), "ann", "told the provider", None, None, None),
    ]
    case = story.case
    assert (case.assigned_to, case.silenced_until, case.steps) == ("bob", day(5), 7)
    assert case.accepted == AcceptedDifference(-500, "ann", day(5), "redeemed by hand", day(9))
    assert (case.epoch, case.version) == (0, 6)


@pytest.mark.parametrize(
    ("happenings", "said"),
    [
        ([RESOLVE, ACKNOWLEDGE], "acknowledged: the case is resolved"),
        ([RESOLVE, silence(9)], "silenced: the case is resolved"),
        ([RESOLVE, AssignCase(CASE, "ann", "bob")], "assigned: the case is resolved"),
        ([RESOLVE, ResolveCase(CASE, "bob", "me too")], "resolved: the case is resolved"),
        ([NoteCase("org:3528:7", "bob", "x")], "noted: for org:3528:7, which is not the customer's newest case"),
        ([1_000, 800, accept(-1)], "accepted: for org:3528:1, which is not the customer's newest case"),
    ],
)
def test_what_comes_too_late_changes_nothing_and_is_seen(happenings: list[Happening], said: str) -> None:
    story = Story(BRIEF, 800, *happenings[:-1])
    before = story.case
    story.happens(happenings[-1])
    after = story.case
    assert (after.history[-1].what, after.history[-1].note) == ("declined", said)
    assert (after.state, after.silenced_until, after.assigned_to, after.accepted) == (
        before.state,
        before.silenced_until,
        before.assigned_to,
        before.accepted,
    )
    assert after.steps == before.steps + 1


def test_a_command_for_somebody_without_any_case_is_refused_loudly() -> None:
    with pytest.raises(BadRecord, match="NoteCase of 'org:3528:1' by 'bob': the customer has no case"):
        work_on_case(open_account(CUSTOMER, BRIEF), NOTE, BRIEF, at=1, version=(0, 1))


@pytest.mark.parametrize(
    "command", [ACKNOWLEDGE, accept(-200), accept(-900), silence(5), NOTE, AssignCase(CASE, "ann"), RESOLVE]
)
def test_a_command_that_is_published_twice_counts_once(command: CaseCommand) -> None:
    story = Story(BRIEF, 800)
    once = work_on_case(story.account, command, BRIEF, at=day(1), version=(0, 1))
    twice = work_on_case(once.account, command, BRIEF, at=day(1), version=(0, 2))
    assert once.case is not None
    assert (twice.case, twice.alert) == (None, None)
    assert twice.account == once.account


def test_who_has_acknowledged_says_nothing_new_by_saying_it_again_and_somebody_else_does() -> None:
    story = Story(BRIEF, 800, ACKNOWLEDGE, ACKNOWLEDGE, AcknowledgeCase(CASE, "bob"))
    assert [(step.what, step.by) for step in story.case.history[1:]] == [
        ("acknowledged", "ann"),
        ("acknowledged", "bob"),
    ]


def test_a_note_may_be_added_to_a_case_that_is_over() -> None:
    story = Story(BRIEF, 800, RESOLVE, NOTE)
    assert story.steps == ["opened", "resolved", "noted"]
    assert story.case.state == "resolved"
