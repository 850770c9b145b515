"""What the export leaves in a real Firestore (the emulator)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from google.cloud.firestore import AsyncClient

from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.entries import Cause, PointsEntry
from stream.contracts.profiles import Profile
from stream.contracts.runs import Phase, PhaseEntered, RunCompleted, RunFailed, RunKind, RunStarted, Tally
from stream.contracts.settings import Accrual, Mode, OrgSettings, Tier
from stream.engine.ports import Input
from stream.sinks.document import FIELDS, Document, document_of, utc
from stream.sinks.firestore.connection import Connection, Stored, connect
from stream.sinks.firestore.encode import write_message
from stream.sinks.firestore.translate import write_of
from stream.sinks.firestore.write import DocumentWrite
from stream.sinks.firestore.writer import DocumentWriter
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    alert_record,
    entry_record,
    profile_record,
    run_record,
    settings_record,
)

PATH = f"customers/{ORG}_3528"
KNOWN: dict[str, Any] = {
    "points_from_alpine": 475,
    "discrepancy": 25,
    "alpine_user_id": "c-1",
    "balance_as_of": AT,
    "home_location": "1",
}


@pytest.fixture
async def connection(firestore_emulator: str, firestore_project: str) -> AsyncIterator[Connection]:
    connection = await connect(firestore_project, emulator_host=firestore_emulator)
    yield connection
    await connection.close()


def write_for(record: Input) -> DocumentWrite:
    write = write_of(record)
    assert write is not None
    return write


def profile_write(profile: Profile, customer: str = "3528") -> DocumentWrite:
    return write_for(profile_record(customer, profile))


async def stored(connection: Connection, path: str = PATH) -> Stored:
    return (await connection.read({path: None}, None))[path]


async def put_as_another_system(connection: Connection, fields: Document) -> None:
    result = await connection.write([write_message(connection.name(PATH), fields, tuple(fields))])
    assert result[0].code == 0


async def test_a_customer_document_has_exactly_the_designs_fields(connection: Connection) -> None:
    profile = a_profile(**KNOWN)
    await DocumentWriter(connection).write([profile_write(profile)])
    fields = (await stored(connection)).fields
    assert set(fields) == set(FIELDS)
    assert fields == document_of(ORG, "3528", profile)


async def test_what_became_unknown_is_deleted_and_what_others_own_is_untouched(connection: Connection) -> None:
    await put_as_another_system(connection, {"email": "a@example.com", "segment": "gold", "visits": 7})
    writer = DocumentWriter(connection)
    await writer.write([profile_write(a_profile(40, (0, 1), **KNOWN))])
    await put_as_another_system(connection, {"visits": 8})
    later = a_profile(41, (0, 2))
    assert await writer.write([profile_write(later)]) == []
    others = {"email": "a@example.com", "segment": "gold", "visits": 8}
    assert (await stored(connection)).fields == document_of(ORG, "3528", later) | others


async def test_a_document_in_which_only_times_and_versions_changed_is_not_written(connection: Connection) -> None:
    writer = DocumentWriter(connection)
    await writer.write([profile_write(a_profile(40, (0, 1), **KNOWN))])
    before = await stored(connection)
    for fresh in (writer, DocumentWriter(connection)):  # one that wrote it, and one that has just started
        await fresh.write([profile_write(a_profile(40, (0, 2), **KNOWN | {"balance_as_of": AT + 60_000}))])
        assert fresh.counts.unchanged == 1
    assert await stored(connection) == before


async def test_going_live_or_another_value_is_written(connection: Connection) -> None:
    writer = DocumentWriter(connection)
    for version, settings in ((1, 1), (2, 2)):
        await writer.write([profile_write(a_profile(40, (0, version), settings_version=settings))])
    assert writer.counts.written == 2
    assert (await stored(connection)).fields["version"] == 2


async def test_the_newest_stands_when_several_writers_race(connection: Connection) -> None:
    """Each has read the documents before; each writes other versions of them at the same time."""
    writers = [DocumentWriter(connection, batch_writes=7, first_wait_seconds=0.002) for _ in range(3)]
    customers = [str(number) for number in range(20)]

    async def all_of(writer: DocumentWriter, versions: range) -> None:
        for version in versions:
            await writer.write([profile_write(a_profile(version, (0, version)), customer) for customer in customers])

    await asyncio.gather(
        *(all_of(writer, range(start, 13, 3)) for start, writer in zip((1, 2, 3), writers, strict=True))
    )
    found = await connection.read({f"customers/{ORG}_{customer}": None for customer in customers}, FIELDS)
    assert [document.fields["points"] for document in found.values()] == [12] * 20
    assert sum(writer.counts.conflicts for writer in writers) > 0


async def test_a_late_write_of_a_predecessor_does_not_stay(connection: Connection) -> None:
    """A → B → A: the successor sees both, joined, and must write A although A is what is stored."""
    predecessor, successor = DocumentWriter(connection), DocumentWriter(connection)
    await predecessor.write([profile_write(a_profile(40, (0, 1)))])
    late = profile_write(a_profile(77, (0, 2)))
    await successor.write([late, profile_write(a_profile(40, (0, 3)))])
    await predecessor.write([late])
    assert (await stored(connection)).fields["points"] == 40
    assert predecessor.counts.stale == 1


async def test_one_impossible_document_does_not_take_the_others_with_it(connection: Connection) -> None:
    writes = [profile_write(a_profile(n, (0, 1)), str(n)) for n in range(40)]
    huge = profile_write(a_profile(40, (0, 1), home_location="x" * 1_200_000), "huge")
    beyond = profile_write(a_profile(2**63, (0, 1)), "beyond")
    writer = DocumentWriter(connection, lanes=2)
    poison = await writer.write([*writes[:11], huge, *writes[11:], beyond])
    assert {entry.write.path for entry in poison} == {f"customers/{ORG}_huge", f"customers/{ORG}_beyond"}
    assert writer.counts.written == 40


async def test_points_entries_lie_beneath_their_customer(connection: Connection) -> None:
    entry = PointsEntry(
        id="facts-0-3-17-3528-entry",
        cause=Cause.ORDER_ADDED,
        delta_minor=3955,
        delta_points=40,
        points_after=40,
        tier="Bronze",
        settings_version=1,
        order="88213",
        amount_minor=3955,
        ordered_at=AT - 60_000,
        epoch=0,
        version=17,
    )
    await DocumentWriter(connection).write([write_for(entry_record("3528", entry))])
    fields = (await stored(connection, f"{PATH}/entries/facts-0-3-17-3528-entry")).fields
    assert fields == {
        "entryId": "facts-0-3-17-3528-entry",
        "at": utc(AT),
        "cause": "order_added",
        "orderId": "88213",
        "orderedAt": utc(AT - 60_000),
        "amountMinor": 3955,
        "deltaMinor": 3955,
        "deltaPoints": 40,
        "pointsAfter": 40,
        "tier": "Bronze",
        "settingsVersion": 1,
        "epoch": 0,
        "version": 17,
    }


async def test_an_alert_is_one_document_however_often_it_is_written(connection: Connection) -> None:
    alert = Alert(
        kind=AlertKind.DISCREPANCY_OPENED,
        org=ORG,
        customer="3528",
        case="3528/1",
        ours=449,
        provider=500,
        difference=51,
    )
    write = write_for(alert_record(alert, "facts-0-3-17-3528-opened"))
    for _ in range(2):
        await DocumentWriter(connection).write([write])
    assert (await stored(connection, "loyaltyAlerts/facts-0-3-17-3528-opened")).fields == {
        "alertId": "facts-0-3-17-3528-opened",
        "orgId": ORG,
        "customerId": "3528",
        "kind": "discrepancy.opened",
        "at": utc(AT),
        "caseId": "3528/1",
        "sequence": 0,
        "points": 449,
        "pointsFromAlpine": 500,
        "loyaltyDiscrepancy": 51,
    }


RUN = f"{ORG}:daily:first"
TALLY = Tally(1641, 245, 240, 5, 0, 1396, 0, 0, 0, 245, 612, 3)
STARTED = run_record(RunStarted(RUN, RunKind.DAILY, "schedule"), AT)
ENTERED = run_record(PhaseEntered(RUN, Phase.VERDICTS), AT + 10)
COMPLETED = run_record(RunCompleted(RUN, RunKind.DAILY, AT, AT + 10, TALLY, {"orders": 7, "balances": 3}), AT + 10)
COMPLETED_FIELDS = {
    "orgId": ORG,
    "runId": RUN,
    "status": "completed",
    "epoch": 0,
    "version": (AT + 10) * 4 + 3,
    "kind": "daily",
    "requestedBy": "schedule",
    "startedAt": utc(AT),
    "endedAt": utc(AT + 10),
    "phase": "done",
    "queuedMs": 0,
    "phasesMs": None,  # a map: not among the types that are read back
    "vendors": None,
    "totalCustomers": 1641,
    "withAlpineSync": 245,
    "withCalculatedPoints": 1641,
    "reconciled": 240,
    "needsReview": 5,
    "timing": 0,
    "notEnrolled": 1396,
    "ambiguous": 0,
    "unknown": 0,
    "missingInternal": 0,
    "deadLetters": 3,
    "averageDiscrepancy": None,  # a double: not among them either
}


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_runs_document_grows_with_the_run_and_does_not_go_back(connection: Connection, at_once: bool) -> None:
    events = [write_for(record) for record in (STARTED, ENTERED, COMPLETED)]
    writer = DocumentWriter(connection)
    for batch in [events] if at_once else [[event] for event in events]:
        await writer.write(batch)
    await DocumentWriter(connection).write([events[0]])  # read again after a restart
    assert (await stored(connection, f"loyaltyRuns/{RUN}")).fields == COMPLETED_FIELDS


async def test_figures_of_a_run_are_integers_and_its_average_a_double(
    connection: Connection, firestore_project: str
) -> None:
    await DocumentWriter(connection).write([write_for(COMPLETED)])
    client = AsyncClient(project=firestore_project)  # Google's own: ours reads no doubles and no maps
    read = (await client.document(f"loyaltyRuns/{RUN}").get()).to_dict() or {}
    figures = {name: read[name] for name in ("averageDiscrepancy", "withAlpineSync", "phasesMs")}
    assert figures == {"averageDiscrepancy": 2.5, "withAlpineSync": 245, "phasesMs": {"orders": 7, "balances": 3}}
    assert {name: type(value) for name, value in figures.items()} == {
        "averageDiscrepancy": float, "withAlpineSync": int, "phasesMs": dict,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tally", "figures"),
    [
        (None, (None, None)),
        (Tally(customers=7), (7, None)),
        (Tally(customers=7, compared=3, abs_difference_points=100), (7, Decimal("33.33"))),
    ],
)
def test_what_a_run_has_not_counted_or_not_compared_is_absent(tally: Tally | None, figures: tuple[object, ...]) -> None:
    failed = RunFailed(RUN, RunKind.DAILY, Phase.VERDICTS, "too late", AT, AT + 5, tally=tally)
    fields = write_for(run_record(failed)).fields
    assert (fields.get("totalCustomers"), fields.get("averageDiscrepancy")) == figures


async def test_a_failed_run_says_why(connection: Connection) -> None:
    failed = RunFailed(RUN, RunKind.DAILY, Phase.BALANCES, "the provider is down", AT, AT + 5)
    await DocumentWriter(connection).write([write_for(run_record(failed))])
    fields = (await stored(connection, f"loyaltyRuns/{RUN}")).fields
    assert (fields["status"], fields["phase"], fields["reason"]) == ("failed", "balances", "the provider is down")


TIERS = (Tier("bronze", "Bronze", 0, "#CD7F32"), Tier("gold", "Gold", 1000, "#FFD700", ("delivery", "gifts")))
SETTINGS = OrgSettings(
    accruals=(Accrual(), Accrual(Decimal("0.50"), Decimal("1E+1"), effective_from=AT)),
    tiers=TIERS,
    mode=Mode.OBSERVE,
    time_zone="America/New_York",
)


async def test_an_orgs_settings_are_one_document_even_while_it_only_observes(
    connection: Connection, firestore_project: str
) -> None:
    await DocumentWriter(connection).write([write_for(settings_record(3, SETTINGS))])
    client = AsyncClient(project=firestore_project)  # Google's own: ours reads no arrays
    assert (await client.document(f"loyaltyOrgs/{ORG}").get()).to_dict() == {
        "orgId": ORG,
        "mode": "observe",
        "settingsVersion": 3,
        "epoch": 0,
        "version": 3,
        "currency": "USD",
        "timeZone": "America/New_York",
        "pointsPerDollar": "0.50",
        "equityMultiplier": "10",
        "tiers": [
            {"id": "bronze", "name": "Bronze", "threshold": 0, "color": "#CD7F32", "benefits": []},
            {"id": "gold", "name": "Gold", "threshold": 1000, "color": "#FFD700", "benefits": ["delivery", "gifts"]},
        ],
    }


@pytest.mark.parametrize("at_once", [True, False])
async def test_older_settings_are_refused(connection: Connection, at_once: bool) -> None:
    live = msgspec.structs.replace(SETTINGS, mode=Mode.LIVE)
    writes = [write_for(record) for record in (settings_record(3, live), settings_record(2, SETTINGS))]
    writer = DocumentWriter(connection)
    for batch in [writes] if at_once else [[write] for write in writes]:
        await writer.write(batch)
    fields = (await stored(connection, f"loyaltyOrgs/{ORG}")).fields
    assert (fields["mode"], fields["settingsVersion"], writer.counts.stale) == ("live", 3, 1)


def test_profiles_of_an_org_that_only_observes_and_tombstones_are_not_exported() -> None:
    observed = profile_record("3528", a_profile(export=False))
    assert write_of(observed) is None
    assert write_of(observed._replace(value=None)) is None
