"""What the views show of access, the audit, deliveries, cursors and versions of settings."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream.contracts import topics
from stream.contracts.access import ACCESS, ALL_ORGS, Account, ApiKey, Membership, Role, access_key, user_name
from stream.contracts.audit import AUDIT, Action, Audited
from stream.contracts.cases import Case, CaseState, Cause, CauseKind
from stream.contracts.cursors import CURSORS, Cursor
from stream.contracts.deliveries import DELIVERIES, Delivery, MessageKind, Outcome
from stream.contracts.profiles import Verdict
from stream.contracts.runs import BalanceSweepEnded, OrdersSweepEnded
from stream.contracts.settings import OrgSettings
from stream.engine.ports import Input
from stream.errors import BadRecord
from stream.sinks.views.shown import SettingsVersion, weight_of
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    case_record,
    dead_letter_record,
    profile_record,
    record,
    run_record,
    settings_record,
)
from tests.sinks.views_file import views_of

KEY = ApiKey(id="1f3a9c0b", name="till", role=Role.SUPPORT, hash="h", created_at=AT, created_by="cli:ana")
ACCOUNT = Account(name="ana", password="argon2", password_at=AT, created_at=AT, created_by="cli:bob")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


def access(body: ApiKey | Account | Membership, org: str = ORG, *, gone: bool = False) -> Input:
    value = None if gone else ACCESS.encode(body, org=org, at=AT, source="cli")
    return record(topics.ACCESS, access_key(org, body).decode(), value)


def audit(action: Action, at: int = AT, entry_id: str = "1", **fields: object) -> Input:
    entry = Audited(id=entry_id, action=action, actor="user:ana", **fields)  # type: ignore[arg-type]
    return record(topics.AUDIT, ORG, AUDIT.encode(entry, org=ORG, at=at, source="web"))


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (KEY, f"{ORG}:key:1f3a9c0b"),
        (ACCOUNT, f"{ORG}:account:ana".replace(ORG, "*")),
        (Membership("ana", Role.VIEWER), f"{ORG}:user:ana"),
    ],
)
def test_each_record_has_a_key_of_its_own(body: ApiKey | Account | Membership, key: str) -> None:
    assert access_key(ORG, body).decode() == key


@pytest.mark.parametrize("name", ["", "Ana", "a b", "-a", "a" * 65, "a:b", "ana\n"])
def test_a_name_that_could_be_mistaken_is_none(name: str) -> None:
    with pytest.raises(BadRecord):
        user_name(name)


def test_the_last_record_of_a_key_counts(path: Path) -> None:
    revoked = msgspec.structs.replace(KEY, revoked_at=AT + 1)
    views = views_of(path, [access(KEY), access(revoked), access(msgspec.structs.replace(KEY, id="2"), ALL_ORGS)])
    found = views.api_key(KEY.id)
    assert found is not None
    assert (found.org, found.key) == (ORG, revoked)
    assert [each.key.id for each in views.api_keys(ORG)] == [KEY.id]
    assert [each.key.id for each in views.api_keys(ALL_ORGS)] == ["2"]
    assert views_of(path, [access(KEY, gone=True)]).api_key(KEY.id) is None


def test_a_person_has_a_role_in_each_org_until_it_is_taken(path: Path) -> None:
    views = views_of(
        path,
        [access(ACCOUNT, ALL_ORGS), access(Membership("ana", Role.VIEWER)), access(Membership("ana", Role.ADMIN), "b")],
        [access(Membership("ana", Role.MANAGER))],
    )
    assert views.account("ana") == ACCOUNT
    assert views.roles("ana") == {ORG: Role.MANAGER, "b": Role.ADMIN}
    assert [(each.name, each.role, each.disabled_at) for each in views.members(ORG)] == [("ana", Role.MANAGER, None)]
    views = views_of(path, [access(Membership("ana", None))])
    assert (views.roles("ana"), views.members(ORG)) == ({"b": Role.ADMIN}, [])


def test_nobody_is_known_before_the_first(path: Path) -> None:
    assert not views_of(path).anybody()
    assert views_of(path, [access(KEY)]).anybody()


def test_the_audit_has_each_change_once_newest_first(path: Path) -> None:
    entries = [
        audit(Action.RUN_REQUESTED, entry_id="a", target="run"),
        audit(Action.CASE_NOTED, AT + 2, "c", target="case", reason="why", detail={"to": "bob"}),
        audit(Action.RUN_REQUESTED, AT + 1, "a", target="run"),
    ]
    found = views_of(path, entries).audit(ORG)
    assert [(each.id, each.action, each.reason, each.detail) for each in found] == [
        ("c", "case.note", "why", {"to": "bob"}),
        ("a", "run.requested", None, {}),
    ]
    views = views_of(path)
    assert [each.id for each in views.audit(ORG, after=(AT + 2, "c"))] == ["a"]


@pytest.mark.parametrize("first", ["letter", "decision"])
def test_a_decision_about_a_dead_letter_counts_whichever_was_read_first(path: Path, first: str) -> None:
    letter = dead_letter_record(b"{}", "no total")
    place = f"{letter.partition}:{letter.offset}"
    (known,) = views_of(path.with_name("known.db"), [letter]).dead_letters()
    about = {"content": known.content, "through": str(known.last_offset)}
    decided = [
        audit(Action.LETTER_DISCARDED, AT + 5, "1", target=place, detail=about),
        audit(Action.LETTER_RETRIED, AT + 4, "2", target=place, detail=about),
    ]
    views = views_of(path, *([[letter], decided] if first == "letter" else [decided, [letter]]))
    (shown,) = views.dead_letters()
    assert (shown.decision, shown.decided_at, shown.decided_by) == ("discard", AT + 5, "user:ana")
    assert views.dead_letters(undecided=True) == []
    assert views.letter_reasons(ORG) == []


def test_versions_that_compaction_removed_are_those_of_the_audit(path: Path) -> None:
    second = OrgSettings(currency="CAD")
    text = msgspec.json.Encoder(decimal_format="string").encode(second).decode()
    asked = audit(
        Action.SETTINGS_CHANGED, AT + 1, target="2", reason="moved", detail={"version": "2", "settings": text}
    )
    lost = audit(
        Action.SETTINGS_CHANGED, AT + 3, "9", target="4", reason="lost", detail={"version": "4", "settings": text}
    )
    views = views_of(path, [asked, lost], [settings_record(3, OrgSettings(currency="EUR"))])
    assert views.settings_versions(ORG) == [
        SettingsVersion(3, AT, True, None, None, OrgSettings(currency="EUR")),
        SettingsVersion(2, AT + 1, False, "user:ana", "moved", second),
    ], "version 4 was asked for and never came into force"
    views = views_of(path, [settings_record(2, second)])
    version = views.settings_version(ORG, 2)
    assert version is not None
    assert (version.in_force, version.by, version.reason) == (True, "user:ana", "moved")
    assert views.settings_version(ORG, 4) is None


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_a_version_that_two_asked_for_is_of_who_got_it(path: Path, order: tuple[int, int, int]) -> None:
    def asked(currency: str, why: str, at: int) -> Input:
        settings = msgspec.json.Encoder(decimal_format="string").encode(OrgSettings(currency=currency)).decode()
        about = {"version": "2", "settings": settings}
        return audit(Action.SETTINGS_CHANGED, at, why, target="2", reason=why, detail=about)

    records = (asked("CAD", "lost", AT), asked("EUR", "won", AT + 1), settings_record(2, OrgSettings(currency="EUR")))
    views = views_of(path, *([records[n]] for n in order))
    version = views.settings_version(ORG, 2)
    assert version is not None
    assert (version.in_force, version.reason, version.settings.currency) == (True, "won", "EUR")


def test_how_fresh_the_sources_are(path: Path) -> None:
    def cursor(source: str, through: int) -> Input:
        value = CURSORS.encode(Cursor(through), org=ORG, at=through, source=source)
        return record(topics.CURSORS, f"{ORG}:{source}", value)

    views = views_of(
        path,
        [cursor("alleaves", AT + 9), cursor("alleaves", AT + 5), cursor("alleaves.walk", AT)],
        [run_record(OrdersSweepEnded("r", 1, True, 1, 1, 0, 1), AT + 3)],
        [run_record(OrdersSweepEnded("r", 1, False, 1, 1, 0, 1), AT + 99)],
        [run_record(BalanceSweepEnded("r", 1, True, 1, 1), AT + 4)],
    )
    assert views.freshness(ORG) == {"alleaves": AT + 9, "alleaves.walk": AT, "orders": AT + 3, "balances": AT + 4}


def test_the_last_attempt_says_how_a_delivery_stands(path: Path) -> None:
    def delivery(outcome: Outcome, at: int) -> Input:
        sent = Delivery(message="m", kind=MessageKind.ALERTS, channel="discord", outcome=outcome, title="t", last_at=at)
        return record(topics.DELIVERIES, f"{ORG}:m:discord", DELIVERIES.encode(sent, org=ORG, at=at, source="notify"))

    (shown,) = views_of(path, [delivery(Outcome.RETRYING, AT), delivery(Outcome.DELIVERED, AT + 1)]).deliveries(ORG)
    assert (shown.at, shown.delivery.outcome) == (AT + 1, Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("causes", "weight", "because"),
    [
        ((), 51, "nobody looked for causes"),
        ((Cause(CauseKind.ADJUSTMENTS, 51),), 0, "all of it is explained"),
        ((Cause(CauseKind.ADJUSTMENTS, 60), Cause(CauseKind.UNEXPLAINED, -9)), 9, "the rest, without its sign"),
    ],
)
def test_a_case_weighs_what_nothing_explains(causes: tuple[Cause, ...], weight: int, because: str) -> None:
    case = Case(
        id="c", number=1, state=CaseState.OPEN, opened_at=AT, ours=449, provider=500, difference=51, alerted_points=51,
        causes=causes,
    )  # fmt: skip
    assert weight_of(case) == weight, because


def test_a_case_comes_back_with_every_field_of_its_contract(path: Path) -> None:
    case = Case(
        id=f"{ORG}:7:1", number=1, state=CaseState.ACKNOWLEDGED, opened_at=AT, ours=1, provider=2, difference=1,
        alerted_points=1, alerted_at=AT, assigned_to="ana", silenced_until=AT + 9, steps=3, version=4,
        causes=(Cause(CauseKind.PROVIDER_LAG, 1, ("88",), 1, "d"),),
    )  # fmt: skip
    views = views_of(path, [case_record("7", case)])
    found = views.case(ORG, "7", 1)
    assert found is not None
    assert found.case == case
    assert [each.case for each in views.inbox(ORG, assigned_to="ana")] == [case]
    assert views.inbox(ORG, assigned_to="bob") == views.inbox(ORG, state=CaseState.OPEN) == []


def test_sums_and_counts_are_of_one_org(path: Path) -> None:
    views = views_of(
        path,
        [profile_record("1", a_profile(40, tier="Gold", home_location="a", points_from_alpine=50))],
        [profile_record("2", a_profile(5, verdict=Verdict.DISCREPANCY)), profile_record("1", a_profile(9), org="b")],
    )
    assert (views.figures(ORG).points_outstanding, views.figures("b").points_outstanding) == (45, 9)
    assert (views.tiers(ORG), views.shops(ORG)) == ({"Gold": 1, "Bronze": 1}, {"a": 1})
    assert (views.orgs(), views.known(ORG), views.known("c")) == (["b", ORG], True, False)


@pytest.mark.parametrize("together", [True, False])
def test_the_sums_follow_every_change_of_a_profile(path: Path, together: bool) -> None:
    changes = [
        profile_record("1", a_profile(40, (0, 1))),
        profile_record("2", a_profile(5, (0, 1), home_location="a")),
        profile_record("1", a_profile(50, (0, 2), tier="Gold", verdict=Verdict.MATCHED, points_from_alpine=50)),
        profile_record("1", a_profile(7, (0, 1))),
        profile_record("2", a_profile(5, (0, 3), home_location="b", balance_as_of=AT)),
        record(topics.PROFILES, f"{ORG}:3", None),
        profile_record("3", a_profile(1)),
        record(topics.PROFILES, f"{ORG}:3", None),
    ]
    views = views_of(path, *([changes] if together else [[change] for change in changes]))
    stats = views.stats(ORG)
    assert (stats.total_customers, stats.with_alpine_sync, stats.reconciled) == (2, 1, 1)
    assert views.figures(ORG).points_outstanding == 55
    assert (views.verdicts(ORG), views.tiers(ORG)) == ({"matched": 1, "unknown": 1}, {"Bronze": 1, "Gold": 1})
    assert views.shops(ORG) == {"b": 1}
