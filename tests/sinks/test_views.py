"""What the views show of the records they were given."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.cases import Case, CaseState, CaseStep
from stream.contracts.entries import Cause, PointsEntry
from stream.contracts.people import Person, PersonErased
from stream.contracts.profiles import Profile, Verdict
from stream.contracts.runs import (
    BalanceSweepEnded,
    CustomerSynced,
    OrdersSweepEnded,
    Phase,
    PhaseEntered,
    ProviderRecovered,
    ProviderUnavailable,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
    Tally,
)
from stream.contracts.settings import OrgSettings
from stream.errors import ConfigurationError, Unreachable
from stream.sinks.document import document_of
from stream.sinks.reading import Batch, Place
from stream.sinks.views.file import WriterLock, open_for_writing
from stream.sinks.views.people import MOST_WORDS, match_expression
from stream.sinks.views.read import Views
from stream.sinks.views.writer import ViewsWriter
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    alert_record,
    case_record,
    entry_record,
    person_record,
    profile_record,
    run_record,
    settings_record,
)
from tests.sinks.views_file import views_of

RUN = f"{ORG}:daily:first"
TALLY = Tally(1641, 245, 240, 5, 0, 1396, 0, 0, 0, 245, 612)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


@contextmanager
def tables(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("table", "struct", "before", "apart"),
    [
        ("profiles", Profile, ["org", "customer"], 0),
        ("entries", PointsEntry, ["org", "customer", "at"], 0),
    ],
)
def test_the_tables_have_the_contracts_fields_in_their_order(
    path: Path, table: str, struct: type[msgspec.Struct], before: list[str], apart: int
) -> None:
    """Rows are made from structs by position: a field added to a contract must be added here."""
    open_for_writing(path).close()
    with tables(path) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    assert columns == [*before, *struct.__struct_fields__]


def test_the_figures_are_the_briefs(path: Path) -> None:
    views = views_of(
        path,
        [profile_record("1", a_profile(40, verdict=Verdict.MATCHED, points_from_alpine=41))],
        [profile_record("2", a_profile(40, verdict=Verdict.DISCREPANCY, points_from_alpine=90))],
        [profile_record("3", a_profile(40)), profile_record("3", a_profile(40), org="other")],
        [run_record(RunCompleted(RUN, RunKind.DAILY, AT - 5000, AT, TALLY, {}))],
        [run_record(RunCompleted(f"{ORG}:customer:1", RunKind.CUSTOMER, AT, AT + 9000, Tally(), {}, "1"))],
        [run_record(RunFailed(f"{ORG}:daily:2", RunKind.DAILY, Phase.ORDERS, "down", AT, AT + 9000))],
    )
    assert views.stats(ORG).answer() == {
        "totalCustomers": 3,
        "withAlpineSync": 2,
        "withCalculatedPoints": 3,
        "reconciled": 1,
        "needsReview": 1,
        "lastSyncAt": "2026-01-30T20:21:58.003Z",
    }
    assert views.verdicts(ORG) == {"matched": 1, "discrepancy": 1, "unknown": 1}
    assert views.orgs() == [ORG, "other"]


def test_before_the_first_run_there_is_no_last_sync(path: Path) -> None:
    assert views_of(path).stats(ORG).answer()["lastSyncAt"] is None


def test_a_profile_comes_back_as_it_was(path: Path) -> None:
    profile = a_profile(40, points_from_alpine=0, alpine_user_id="c-1", export=False, verdict=Verdict.TIMING)
    views = views_of(path, [profile_record("3528", profile)])
    assert views.profile(ORG, "3528") == profile
    assert views.profile(ORG, "unknown") is None


def test_the_export_has_every_customer_once_as_its_document(path: Path) -> None:
    customers = [str(number) for number in range(2345)]
    views = views_of(path, [profile_record(customer, a_profile(int(customer))) for customer in customers])
    documents = list(views.profiles(ORG))
    assert [document["customerId"] for document in documents] == sorted(customers)
    assert documents[0] == document_of(ORG, "0", a_profile(0))


def test_a_tombstone_removes_the_customer_until_something_new_is_said(path: Path) -> None:
    profile = profile_record("1", a_profile(40, (0, 5)))
    views = views_of(path, [profile], [profile._replace(value=None)])
    assert views.profile(ORG, "1") is None
    again = profile_record("1", a_profile(7, (0, 2)))
    for batches in ([[again]], [[profile, profile._replace(value=None), again]]):
        views = views_of(path, *batches)
        shown = views.profile(ORG, "1")
        assert shown is not None
        assert shown.points == 7


def an_entry(number: int) -> PointsEntry:
    return PointsEntry(
        id=f"facts-0-3-{number}-1-entry",
        cause=Cause.ORDER_ADDED,
        delta_minor=100,
        delta_points=1,
        points_after=number,
        tier="Bronze",
        settings_version=1,
        order=f"o{number}",
        amount_minor=100,
        epoch=0,
        version=number,
    )


def test_entries_are_all_there_once_newest_first(path: Path) -> None:
    records = [entry_record("1", an_entry(number)) for number in (1, 2, 3)]
    views = views_of(path, records, records)
    assert [shown.entry for shown in views.entries(ORG, "1")] == [an_entry(3), an_entry(2), an_entry(1)]
    assert len(views.entries(ORG, "1", limit=2)) == 2
    assert views.entries(ORG, "2") == []


def test_cases_and_alerts_come_back_as_they_were(path: Path) -> None:
    case = Case(
        id="3528/1",
        number=1,
        state=CaseState.OPEN,
        opened_at=AT,
        ours=449,
        provider=500,
        difference=51,
        alerted_points=51,
        tier_differs=True,
        history=(CaseStep("opened", AT, "accounts", 449, 500),),
        version=7,
    )
    resolved = msgspec.structs.replace(case, state=CaseState.RESOLVED, resolved_at=AT + 1, version=9)
    alert = Alert(kind=AlertKind.DISCREPANCY_OPENED, org=ORG, customer="3528", ours=449, provider=500, difference=51)
    views = views_of(path, [case_record("3528", case), alert_record(alert, "a-1"), alert_record(alert, "a-1")])
    assert [shown.case for shown in views.cases(ORG, state=CaseState.OPEN)] == [case]
    assert [(shown.id, shown.at, shown.alert) for shown in views.alerts(ORG)] == [("a-1", AT, alert)]
    views = views_of(path, [case_record("3528", resolved), case_record("3528", case)])
    assert [shown.case for shown in views.cases(ORG, customer="3528")] == [resolved]
    assert views.cases(ORG, state=CaseState.OPEN) == []


RUN_EVENTS = [
    run_record(RunRequested(RUN, RunKind.DAILY, "schedule"), AT),
    run_record(RunStarted(RUN, RunKind.DAILY, "schedule"), AT + 1),
    run_record(PhaseEntered(RUN, Phase.ORDERS), AT + 1),
    run_record(OrdersSweepEnded(RUN, 1, True, 2689, 1641, 2, 27), AT + 2),
    run_record(PhaseEntered(RUN, Phase.BALANCES), AT + 2),
    run_record(BalanceSweepEnded(RUN, 1, True, 245, 1), AT + 3),
    run_record(RunCompleted(RUN, RunKind.DAILY, AT + 1, AT + 9, TALLY, {"orders": 1, "balances": 2}), AT + 9),
]


@pytest.mark.parametrize("repeated", [1, 2])
def test_a_run_gathers_what_its_events_say(path: Path, repeated: int) -> None:
    run = views_of(path, *[[event] for event in RUN_EVENTS * repeated]).run(RUN)
    assert run is not None
    assert (run.phase, run.outcome, run.requested_by) == ("done", "completed", "schedule")
    assert (run.requested_at, run.started_at, run.ended_at) == (AT, AT + 1, AT + 9)
    assert (run.orders, run.order_customers, run.orders_unreadable, run.alleaves_calls) == (2689, 1641, 2, 27)
    assert (run.balances, run.alpine_calls, run.tally) == (245, 1, TALLY)
    assert run.phases_ms == {"orders": 1, "balances": 2}


def test_a_run_under_way_shows_its_phase_and_comes_first(path: Path) -> None:
    second = f"{ORG}:daily:second"
    views = views_of(path, RUN_EVENTS, [run_record(RunStarted(second, RunKind.DAILY, "me"), AT)])
    views = views_of(path, [run_record(PhaseEntered(second, Phase.BALANCES), AT)])
    assert [(run.run, run.phase, run.outcome) for run in views.runs(ORG)] == [
        (second, "balances", None),
        (RUN, "done", "completed"),
    ]


def test_the_answer_of_a_one_customer_run_is_kept(path: Path) -> None:
    run_id = f"{ORG}:customer:1"
    started = run_record(RunStarted(run_id, RunKind.CUSTOMER, "me", "1"))
    run = views_of(path, [started, run_record(CustomerSynced(run_id, "failed", "no answer"))]).run(run_id)
    assert run is not None
    assert (run.answer, run.reason, run.customer) == ("failed", "no answer", "1")


def test_an_outage_is_shown_until_it_ends(path: Path) -> None:
    views = views_of(path, [run_record(ProviderUnavailable(AT, "HTTP 503"))])
    outage = views.provider(ORG)
    assert outage is not None
    assert (outage.available, outage.since, outage.reason) == (False, AT, "HTTP 503")
    views = views_of(path, [run_record(ProviderRecovered(AT + 9))])
    recovered = views.provider(ORG)
    assert recovered is not None
    assert (recovered.available, recovered.since) == (True, AT + 9)


def test_the_settings_in_force_are_those_of_the_highest_version(path: Path) -> None:
    newer = OrgSettings(currency="CAD")
    views = views_of(path, [settings_record(2, newer)], [settings_record(1, OrgSettings())])
    settings = views.settings(ORG)
    assert settings is not None
    assert (settings.version, settings.settings) == (2, newer)


PEOPLE = [
    person_record("1", Person("Zoë Quinn", ("+15551234567",), "zoe@example.com", AT)),
    person_record("2", Person("Bob O'Neil", ("+15557654321", "+15550001111"), None, AT)),
    person_record("3528", Person("Ana Zoe", (), "ana@example.org", AT)),
]


@pytest.mark.parametrize(
    ("text", "found", "because"),
    [
        ("zoe", {"1", "3528"}, "without accents, anywhere in the name"),
        ("qui", {"1"}, "the beginning of a word"),
        ("zoe quinn", {"1"}, "every word must fit"),
        ("+1 (555) 123-4567", {"1"}, "a number as people write it"),
        ("5557654321", {"2"}, "without the country code"),
        ("1111", {"2"}, "the last four digits of any number"),
        ("3528", {"3528"}, "a customer id"),
        ("ana@example.org", {"3528"}, "an e-mail address"),
        ("o'neil", {"2"}, "with an apostrophe"),
        ('" OR 1=1 --', set(), "not a query language"),
        ("  ", set(), "nothing asked"),
    ],
)
def test_people_are_found_as_they_are_asked_for(path: Path, text: str, found: set[str], because: str) -> None:
    assert {person.customer for person in views_of(path, PEOPLE).search(text)} == found, because


@pytest.mark.parametrize("together", [True, False])
def test_an_erased_person_is_found_no_more_and_does_not_come_back(path: Path, together: bool) -> None:
    erased = person_record("1", PersonErased(AT + 10))
    late = person_record("1", Person("Zoë Quinn", ("+15551234567",), "zoe@example.com", AT + 10))
    batches = [[*PEOPLE, erased, late]] if together else [PEOPLE, [erased], [late]]
    views = views_of(path, *batches)
    assert [views.search(text) for text in ("quinn", "5551234567", "zoe@example.com")] == [[], [], []]
    person = views.person(ORG, "1")
    assert person is not None
    assert (person.name, person.phones, person.email, person.erased_at) == ("", (), None, AT + 10)
    with tables(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"quinn" not in path.read_bytes().lower(), "nothing of the name is left in the file"


@pytest.mark.parametrize(
    ("bad", "because"),
    [
        (b"{", "not JSON"),
        (b'{"type":"Nonsense"}', "an unknown type"),
        (profile_record("1", a_profile(2**63)).value, "a number that no column holds"),
    ],
)
def test_one_unreadable_record_does_not_hold_up_the_others(path: Path, bad: bytes, because: str) -> None:
    good = [profile_record(str(number), a_profile(number)) for number in range(9)]
    views = views_of(path, [*good[:4], good[0]._replace(value=bad), *good[4:]])
    assert views.stats(ORG).total_customers == 9, because


def test_only_one_process_writes_a_views_file(path: Path) -> None:
    first, second = WriterLock(path), WriterLock(path)
    first.acquire()
    with pytest.raises(ConfigurationError, match="being written by another process"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


@pytest.mark.parametrize("spoil", ["version", "bytes"])
def test_a_file_of_another_version_or_a_broken_one_is_replaced(path: Path, spoil: str) -> None:
    views_of(path, [profile_record("1", a_profile())])
    if spoil == "bytes":
        path.write_bytes(b"no database, but long enough to be read as one" * 100)
    else:
        with tables(path) as connection:
            connection.execute("PRAGMA user_version = 999")
            connection.commit()
        with pytest.raises(Unreachable, match="version 999"):
            Views(path).orgs()
    assert views_of(path).stats(ORG).total_customers == 0


def test_without_a_file_the_reader_says_what_to_start(path: Path) -> None:
    with pytest.raises(Unreachable, match="loyalty up"):
        Views(path).orgs()


def test_a_search_for_a_whole_book_is_one_for_its_first_words(path: Path) -> None:
    assert match_expression("zoe " * 100_000).count("zoe") == MOST_WORDS
    views = views_of(path, [person_record("1", Person("Zoe"))])
    assert [person.name for person in views.search("zoe " * 100_000)] == ["Zoe"]
    assert views.search('zoe \x00 \ud800 "* NEAR(') == []


def damage(path: Path) -> None:
    """A disk that forgets: half of the pages."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * (size // 2))


async def test_a_file_that_turns_out_to_be_damaged_is_built_anew(path: Path) -> None:
    """The log has everything, and a file that stays damaged would end every process that opens it."""

    def batch(first: int) -> Batch:
        records = [profile_record(str(number), a_profile(number)) for number in range(first, first + 2000)]
        return Batch(records, {Place("profiles", 0): records[-1].offset + 1}, {})

    async with ViewsWriter(path) as writer:
        await writer.apply(batch(0))
    damage(path)
    async with ViewsWriter(path) as writer:
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            await writer.apply(batch(1000))
    async with ViewsWriter(path) as writer:
        assert (await writer.resume()).positions == {}
        await writer.apply(batch(0))
    assert Views(path).stats(ORG).total_customers == 2000
