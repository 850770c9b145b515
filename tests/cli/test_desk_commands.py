"""What people look at and decide: what each command asks for, says beforehand, and how it ends."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stream.cli.app import app
from stream.contracts.alerts import AlertKind
from stream.contracts.cases import CaseState
from stream.contracts.settings import Mode
from tests.cli.recorded import Recorded
from tests.cli.test_commands import CONFIGURED

ORG = "brand_example"
CASE = f"{ORG}:3528:1"
MARCH = 1_772_323_200_000  # 2026-03-01T00:00Z
IN_2099 = 4_076_006_400_000  # 2099-03-01T00:00Z
KNOWN = {"id": CASE, "discrepancy": 25, "state": "open", "history": []}
DECIDED = {"case": KNOWN, "inEffect": True}
LETTERS = [
    {"place": "3:120", "orgId": ORG, "reason": "total is missing"},
    {"place": "0:7", "orgId": "other", "reason": "total is missing"},
    {"place": "0:8", "orgId": ORG, "reason": "total is not a number"},
]
CHANGE = {
    "org": ORG, "mode": "observe", "wanted": "live", "version": 3, "customers": 1641, "liveCases": 5, "exports": True,
    "channels": 2, "file": "observe",
}  # fmt: skip
DIFFERENCE = {
    "org": ORG,
    "version": 3,
    "changes": [{"setting": "tiers.silver.threshold", "inForce": 500, "file": 400}],
    "effect": {"customers": 1641, "complete": True, "pointsChange": 0, "tiersChange": 12, "discrepanciesAppear": 1,
               "discrepanciesVanish": 2, "notCounted": ["basis"]},
}  # fmt: skip


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loyalty.toml").write_text(CONFIGURED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PW", "hunter2-long")
    monkeypatch.delenv("LOYALTY_CONFIG", raising=False)


def run(words: list[str] | str, points: Recorded, typed: str = "") -> tuple[int, str, str]:
    line = words.split() if isinstance(words, str) else words
    result = CliRunner().invoke(app, line, obj=points, input=typed)
    return result.exit_code, result.stdout, result.stderr


def listed(**more: object) -> dict[str, object]:
    return {"org": ORG, "state": None, "resolved": False, "assigned_to": None, "limit": 100} | more


@pytest.mark.parametrize(
    ("line", "command", "options"),
    [
        ("runs list", "runs list", {"org": None, "limit": 20}),
        ("runs list --org a --limit 3", "runs list", {"org": "a", "limit": 3}),
        ("runs show r", "runs show", {"run": "r"}),
        ("cases list", "cases list", listed()),
        ("cases list --state open --limit 5", "cases list", listed(state=CaseState.OPEN, limit=5)),
        ("cases list --resolved --assigned-to jane", "cases list", listed(resolved=True, assigned_to="jane")),
        (f"cases show {CASE}", "cases show", {"case": CASE}),
        ("org list", "org list", {}),
        ("settings show", "settings show", {"org": ORG}),
        ("dead-letters list --by-reason --org a", "dead-letters reasons", {"org": "a"}),
        ("mcp", "mcp", {}),
        ("mcp --http", "mcp --http", {"host": "127.0.0.1", "port": 8081}),
        ("mcp --http --host 0.0.0.0 --port 0", "mcp --http", {"host": "0.0.0.0", "port": 0}),
    ],
)
def test_a_command_that_looks_asks_for_what_its_options_say(
    line: str, command: str, options: dict[str, object]
) -> None:
    points = Recorded(answer={"a": 1}, answers={"runs": [], "cases": [], "orgs": [], "dead_letter_reasons": []})
    code, _, err = run(line, points)
    assert (code, points.asked) == (0, [(command, options)]), err


@pytest.mark.parametrize("line", ["runs list", "cases list", "org list", "dead-letters list --by-reason"])
def test_nothing_to_list_is_said_in_words_and_is_an_empty_list_as_json(line: str) -> None:
    points = Recorded(answer=[])
    assert run(f"{line} --json", points)[:2] == (0, "[]\n")
    assert run(line, points)[1].startswith(("no ",))


# Cases


@pytest.mark.parametrize(
    ("words", "decision", "options"),
    [
        (["ack", CASE], "AcknowledgeCase", {"note": None}),
        (["ack", CASE, "--note", "asking them"], "AcknowledgeCase", {"note": "asking them"}),
        (["accept", CASE, "--reason", "r"], "AcceptDifference", {"points": 25, "reason": "r", "until": None}),
        (
            ["accept", CASE, "--points", "-40", "--reason", "r", "--until", "2026-03-01"],
            "AcceptDifference",
            {"points": -40, "reason": "r", "until": MARCH},
        ),
        (["silence", CASE, "--until", "2099-03-01T01:00+01:00"], "SilenceCase", {"until": IN_2099, "reason": None}),
        (["note", CASE, "ticket 4711"], "NoteCase", {"note": "ticket 4711"}),
        (["assign", CASE, "jane", "--reason", "till"], "AssignCase", {"to": "jane", "reason": "till"}),
        (["assign", CASE, "--nobody"], "AssignCase", {"to": None, "reason": None}),
        (["resolve", CASE, "--reason", "corrected"], "ResolveCase", {"reason": "corrected"}),
    ],
)  # fmt: skip
def test_a_decision_on_a_case_is_published_with_its_actor(
    words: list[str], decision: str, options: dict[str, object]
) -> None:
    points = Recorded(answers={"case": KNOWN, "decide_case": DECIDED})
    code, out, err = run(["cases", *words, "--by", "jane", "--json"], points)
    assert code == 0, err
    assert points.asked[-1] == (decision, {"case": CASE, "by": "cli:jane", **options})
    assert json.loads(out) == DECIDED


def test_silence_for_a_while_ends_that_much_later() -> None:
    points = Recorded(answers={"case": KNOWN, "decide_case": DECIDED})
    before = int(time.time() * 1000)
    assert run(f"cases silence {CASE} --for 3d", points)[0] == 0
    until = int(str(points.asked[-1][1]["until"])) - 3 * 86_400_000
    assert before <= until <= int(time.time() * 1000)


def test_the_actor_is_the_systems_user_unless_another_is_named() -> None:
    points = Recorded(answers={"case": KNOWN, "decide_case": DECIDED})
    run(f"cases ack {CASE}", points)
    assert points.asked[-1][1]["by"] == f"cli:{getpass.getuser()}"


def test_a_decision_that_nobody_has_taken_up_says_so() -> None:
    points = Recorded(answers={"case": KNOWN, "decide_case": {"case": KNOWN, "inEffect": False}})
    code, out, err = run(f"cases ack {CASE}", points)
    assert (code, "does `loyalty worker` run?" in err) == (0, True)
    assert CASE in out


@pytest.mark.parametrize("command", ["show", "ack", "resolve --reason r"])
def test_a_case_that_is_not_known_is_a_failure_that_says_where_to_look(command: str) -> None:
    name, *rest = command.split()
    code, out, err = run(["cases", name, CASE, *rest], Recorded(answer=None))
    assert (code, out) == (1, "")
    assert "`loyalty cases list` shows those there are" in err


def test_a_case_is_shown_with_its_causes_and_its_history() -> None:
    case = KNOWN | {
        "points": 449, "pointsFromAlpine": 500, "discrepancy": 51, "unexplained": 11,
        "causes": [{"kind": "refunds_not_applied", "points": 40, "orders": ["88213"], "count": 1, "detail": None}],
        "history": [{"what": "assigned", "at": "2026-01-30T20:21Z", "by": "cli:jane", "to": "bob"}],
        "accepted": {"points": 51, "by": "cli:jane", "until": None},
    }  # fmt: skip
    _, out, _ = run(f"cases show {CASE}", Recorded(answer=case))
    for said in ("+51", "+40", "refunds not applied", "88213", "cli:jane", "to bob", "for good"):
        assert said in out


# Customers

ERASE = ["customer", "erase", "3528", "--because", "asked by letter", "--by", "jane"]
ERASED = {"orgId": ORG, "customerId": "3528", "inViews": True}


def test_a_person_is_forgotten_after_one_question_that_says_what_goes() -> None:
    points = Recorded(answers={"erase_customer": ERASED})
    code, out, err = run(ERASE, points, typed="y\n")
    asked = {"org": ORG, "customer": "3528", "by": "cli:jane", "because": "asked by letter"}
    assert (code, points.asked) == (0, [("customer erase", asked)])
    assert "cannot be brought back" in err
    assert out == f"customer 3528 of {ORG} is forgotten.\n"


@pytest.mark.parametrize(("typed", "code"), [("n\n", 1), ("", 2)])
def test_nobody_is_forgotten_who_was_not_meant(typed: str, code: int) -> None:
    points = Recorded(answers={"erase_customer": ERASED})
    assert run(ERASE, points, typed=typed)[0] == code
    assert points.asked == []


def test_an_erasure_that_the_views_have_not_taken_in_says_so() -> None:
    points = Recorded(answers={"erase_customer": ERASED | {"inViews": False}})
    assert "nobody has taken it up yet" in run([*ERASE, "--yes"], points)[1]


# Runs

QUEUED: dict[str, Any] = {"id": "r", "kind": "daily", "phase": "queued", "outcome": None}
READING = QUEUED | {"phase": "orders", "orders": 1200}
ENDED = READING | {
    "phase": "done",
    "outcome": "completed",
    "orders": 2689,
    "tally": {"customers": 1641, "matched": 240, "discrepancy": 5},
    "stats": {"totalCustomers": 1641},
}
BROKEN = READING | {"outcome": "failed", "reason": "HTTP 503"}


def test_a_run_is_watched_as_lines_of_json() -> None:
    points = Recorded(answer=[QUEUED, READING, ENDED])
    code, out, err = run("runs watch --json", points)
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [QUEUED, READING, ENDED]
    assert points.asked == [("runs watch", {"org": ORG, "run": None, "upcoming": False})]


def test_a_run_is_watched_in_words_and_ends_with_the_figures() -> None:
    code, out, err = run("runs watch", Recorded(answer=[QUEUED, READING, ENDED]))
    assert code == 0
    assert err.splitlines() == [
        "reading orders …",
        "reading orders: 2,689 orders",
        "comparing: 1,641 customers, 240 agree, 5 need review",
    ]
    assert "totalCustomers" in out


def test_a_run_is_shown_with_the_briefs_figures() -> None:
    shown = ENDED | {
        "requestedBy": "schedule",
        "vendors": {
            "alleaves": {"calls": 40, "answered": 40, "errors": {}},
            "alpine_iq": {"calls": 12, "answered": 3, "errors": {"server": 9, "throttled": 1}},
        },
        "tally": {"customers": 1641, "with_provider": 245, "matched": 240, "discrepancy": 5, "timing": 0,
                  "unknown": 1396, "compared": 245, "abs_difference_points": 573, "dead_letters": 2},
    }  # fmt: skip
    code, out, _ = run("runs show r", Recorded(answer=shown))
    assert code == 0
    said = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        "asked for by schedule",
        "asked Alleaves 40 calls, all answered",
        "asked Alpine IQ 12 calls, 3 answered (9 server, 1 throttled)",
        "customers 1,641",
        "with a balance at Alpine IQ 245",
        "agree 240",
        "need review 5",
        "unknown 1,396",
        "could not be read 2",
        "average discrepancy 2.34 points over 245 customers compared",
    ):
        assert line in said, line
    assert not any("timing" in line for line in said)


def test_a_watched_run_that_fails_ends_with_1_and_its_reason() -> None:
    code, out, err = run("runs watch r", Recorded(answer=[READING, BROKEN]))
    assert code == 1
    assert "reading orders: failed: HTTP 503" in err
    assert "HTTP 503" in out


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("runs watch a:daily:1", {"org": None, "run": "a:daily:1", "upcoming": False}),
        ("runs watch --next --org brand_example", {"org": ORG, "run": None, "upcoming": True}),
    ],
)
def test_which_run_is_watched(line: str, asked: dict[str, object]) -> None:
    points = Recorded(answer=[ENDED])
    assert run(line, points)[0] == 0
    assert points.asked == [("runs watch", asked)]


# Alerts

EVENT = {
    "id": "a-1", "type": "com.loyaltystream.discrepancy.opened", "time": "2026-01-30T20:21:58.003Z", "isreplay": "true",
    "data": {"kind": "discrepancy.opened", "org": ORG, "customer": "7", "ours": 449, "provider": 500, "difference": 51},
}  # fmt: skip


def test_alerts_are_lines_of_json() -> None:
    points = Recorded(answer=[EVENT, EVENT])
    code, out, _ = run("alerts tail --org a --kind discrepancy.opened --kind run.failed --from-beginning", points)
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [EVENT, EVENT])
    kinds = [AlertKind.DISCREPANCY_OPENED, AlertKind.RUN_FAILED]
    assert points.asked == [("alerts tail", {"org": "a", "kinds": kinds, "from_beginning": True})]


def test_alerts_are_published_again_after_consent() -> None:
    points = Recorded(answers={"alerts_since": {"discrepancy.opened": 1200, "run.failed": 1}, "replay_alerts": 1201})
    code, out, err = run("alerts replay --since 2026-03-01 --customer 7", points, typed="y\n")
    assert (code, out) == (0, "1,201 alerts published once more\n")
    assert "1,201 alerts will be published once more: 1,200 discrepancy.opened, 1 run.failed." in err
    about = {"since": MARCH, "org": None, "customer": "7"}
    assert points.asked == [("alerts since", about), ("alerts replay", about)]


def test_nothing_to_replay_asks_nobody() -> None:
    points = Recorded(answers={"alerts_since": {}})
    assert run("alerts replay --since 24h --json", points)[:2] == (0, '{"replayed":0,"kinds":{}}\n')
    assert [command for command, _ in points.asked] == ["alerts since"]


# What is asked first


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("alerts replay --since 24h", {"alerts_since": {"run.failed": 1}, "replay_alerts": 1}),
        ("org go-live", {"mode_change": CHANGE, "change_mode": {"org": ORG, "version": 4, "mode": "live"}}),
        (
            "org pause",
            {"mode_change": CHANGE | {"mode": "live", "wanted": "observe"}, "change_mode": {"org": ORG, "version": 4}},
        ),
        ("settings apply", {"settings_difference": DIFFERENCE, "apply_settings": {"org": ORG, "version": 4}}),
        ("dead-letters retry --reason total", {"letters_to_decide": LETTERS, "retry_letters": LETTERS}),
        (
            "dead-letters discard --reason total --because tests",
            {"letters_to_decide": LETTERS, "discard_letters": LETTERS},
        ),
    ],
)
@pytest.mark.parametrize(
    ("typed", "option", "code", "done", "said"),
    [
        ("y\n", "", 0, 1, "Go on? [y/N]"),
        ("", " --yes", 0, 1, ""),
        ("n\n", "", 1, 0, "Nothing was done."),
        ("\n", "", 1, 0, "Nothing was done."),
        ("", "", 2, 0, "add --yes"),
    ],
)
def test_what_cannot_be_taken_back_is_asked_first(
    line: str, answers: dict[str, object], typed: str, option: str, code: int, done: int, said: str
) -> None:
    points = Recorded(answers=answers)
    ended, _, err = run(line + option, points, typed)
    assert (ended, len(points.asked) - 1) == (code, done), err
    assert said in err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (CHANGE, "1,641 profiles will be exported to Firestore, and from now on discrepancies are told by 2 channels"),
        (CHANGE, "The 5 cases that are open already are not told again"),
        (CHANGE | {"exports": False, "channels": 0}, "firestore.project is not set, so nothing is exported"),
        (CHANGE | {"mode": "live", "wanted": "observe"}, "exports no profiles"),
    ],
)
def test_a_change_of_mode_says_what_will_happen(change: dict[str, object], said: str) -> None:
    command = "go-live" if change["wanted"] == "live" else "pause"
    assert said in run(f"org {command}", Recorded(answers={"mode_change": change}), "n\n")[2]


def test_going_live_changes_the_mode_of_the_version_that_was_shown_and_warns_of_the_file() -> None:
    answer = {"org": ORG, "version": 4, "mode": "live"}
    points = Recorded(answers={"mode_change": CHANGE, "change_mode": answer})
    code, out, err = run("org go-live --yes --by jane --json", points)
    assert (code, json.loads(out)) == (0, answer)
    assert points.asked[1] == (
        "change mode",
        {"org": ORG, "mode": Mode.LIVE, "expected": 3, "by": "cli:jane", "reason": "org go-live"},
    )
    assert 'Set mode = "live" in the file, too' in err


def test_a_mode_that_the_org_has_is_not_asked_for_again() -> None:
    points = Recorded(answers={"mode_change": CHANGE | {"mode": "live", "file": "live"}})
    code, _, err = run("org go-live", points)
    assert (code, [command for command, _ in points.asked]) == (0, ["mode change"])
    assert "is in mode live already" in err


def test_settings_that_differ_are_shown_with_their_effect_and_end_with_1() -> None:
    code, out, err = run("settings diff", Recorded(answer=DIFFERENCE))
    assert code == 1
    assert "tiers.silver.threshold" in out
    assert "0 would have other points, 12 another tier; 1 discrepancies would appear, 2 vanish" in err
    assert "basis" in err


@pytest.mark.parametrize(
    ("setting", "file", "said"),
    [
        ("schedule.daily_at", "03:00", "Nobody's points, tier or verdict would change.\n"),
        ("mode", "live", "Mode live: profiles are exported and customers' alerts sent from then on.\n"),
        ("mode", "observe", "Mode observe: profiles are not exported and customers' alerts not sent any more.\n"),
    ],
)
def test_a_change_that_touches_no_rule_says_so(setting: str, file: str, said: str) -> None:
    found = DIFFERENCE | {"changes": [{"setting": setting, "inForce": "x", "file": file}], "effect": None}
    code, _, err = run("settings diff", Recorded(answer=found))
    assert (code, err.endswith(said)) == (1, True), err
    assert "Go on?" in run("settings apply", Recorded(answers={"settings_difference": found}), "n\n")[2]


def test_settings_that_do_not_differ_are_not_applied() -> None:
    same = DIFFERENCE | {"changes": [], "effect": None}
    points = Recorded(answer=same)
    assert run("settings diff", points)[:2] == (0, "the file says what is in force\n")
    assert run("settings apply", points)[:2] == (0, "the file's settings are in force already\n")
    assert "settings apply" not in [command for command, _ in points.asked]


# Dead letters


def test_dead_letters_are_named_by_place_without_being_asked_about() -> None:
    points = Recorded(answers={"letters_to_decide": LETTERS[:2], "retry_letters": LETTERS[:2]})
    code, _, err = run("dead-letters retry 3:120 0:7 --by jane", points)
    assert (code, err) == (0, "")
    assert points.asked == [
        ("dead-letters chosen", {"org": None, "places": ["3:120", "0:7"], "reason": None}),
        ("dead-letters retry", {"letters": [(ORG, "3:120"), ("other", "0:7")], "by": "cli:jane", "because": None}),
    ]


def test_dead_letters_with_a_reason_are_counted_by_reason_first() -> None:
    points = Recorded(answers={"letters_to_decide": LETTERS})
    err = run("dead-letters retry --reason total", points, "n\n")[2]
    assert "3 dead letters will be tried again:\n  2  total is missing\n  1  total is not a number\n" in err


def test_one_that_cannot_be_tried_again_fails_the_command_and_says_why() -> None:
    failed = [LETTERS[0] | {"error": "the original is not kept any more"}]
    code, out, _ = run(
        "dead-letters retry 3:120", Recorded(answers={"letters_to_decide": LETTERS[:1], "retry_letters": failed})
    )
    assert (code, "not kept any more" in out) == (1, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dead-letters retry", "give PARTITION:OFFSET, or --reason TEXT"),
        ("dead-letters retry 3:120 --reason x", "give PARTITION:OFFSET, or --reason TEXT"),
        ("dead-letters retry 3", "is not PARTITION:OFFSET"),
        ("dead-letters retry 3:²", "is not PARTITION:OFFSET"),
        ("dead-letters discard 3:120", "Missing option '--because'"),
        (f"cases accept {CASE}", "Missing option '--reason'"),
        (f"cases accept {CASE} --reason r --until soon", "is not a time"),
        (f"cases silence {CASE}", "give --until TIME or --for SPAN"),
        (f"cases silence {CASE} --for 3d --until 2099-01-01", "give --until TIME or --for SPAN"),
        (f"cases silence {CASE} --until 2020-01-01", "is over already"),
        (f"cases silence {CASE} --for 3y", "is not a length of time"),
        (f"cases assign {CASE}", "give NAME, or --nobody"),
        (f"cases assign {CASE} jane --nobody", "give NAME, or --nobody"),
        ("alerts replay", "Missing option '--since'"),
        ("alerts tail --kind nonsense", "Invalid value for '--kind'"),
        ("runs watch r --next", "give RUN or --next"),
        ("cases list --state closed", "Invalid value for '--state'"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked_for(line: str, said: str) -> None:
    points = Recorded()
    code, out, err = run(line, points)
    assert (code, out, points.asked) == (2, "", [])
    assert said in " ".join(err.replace("│", " ").split())
