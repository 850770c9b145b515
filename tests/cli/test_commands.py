"""Every command: what it asks for, what it prints where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli.app import app
from stream.cli.entry_points import EntryPoints
from stream.errors import ConfigurationError, Fenced, LoyaltyError, Refused, Unavailable, Unreachable, Unreadable
from tests.cli.recorded import Demo, Recorded

CONFIGURED = """
log_level = "error"
[kafka]
bootstrap = "kafka:9092"
[[org]]
id = "brand_example"
[org.alleaves]
username = "u"
password = "env:PW"
"""


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loyalty.toml").write_text(CONFIGURED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PW", "hunter2-long")
    monkeypatch.delenv("LOYALTY_CONFIG", raising=False)


def run(line: str, points: EntryPoints) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, line.split(), obj=points)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("line", "command", "options"),
    [
        ("demo", "demo", {"seed": 1, "hostile": False, "keep": False, "once": False}),
        (
            "demo --once --seed 7 --hostile --keep",
            "demo",
            {"seed": 7, "hostile": True, "keep": True, "once": True},
        ),
        ("up", "up", {}),
        ("poll", "poll", {}),
        ("worker", "worker", {"name": "1"}),
        ("worker --name 2", "worker", {"name": "2"}),
        ("sink firestore", "sink firestore", {}),
        ("sink notify", "sink notify", {"name": "1"}),
        ("sink notify --name 2", "sink notify", {"name": "2"}),
        ("notify test", "notify test", {"org": "brand_example"}),
        ("notify resend m-1", "notify resend", {"org": "brand_example", "message": "m-1", "channel": None}),
        (
            "notify resend m-1 --org brand_example --channel discord --json",
            "notify resend",
            {"org": "brand_example", "message": "m-1", "channel": "discord"},
        ),
        ("notify list", "notify list", {"org": "brand_example", "undelivered": False, "limit": 20}),
        (
            "notify list --undelivered --limit 5 --json",
            "notify list",
            {"org": "brand_example", "undelivered": True, "limit": 5},
        ),
        ("web", "web", {}),
        (
            "sync --by jane",
            "sync",
            {"org": "brand_example", "customer": None, "wait": False, "key": None, "by": "cli:jane"},
        ),
        (
            "sync --org brand_example --customer 3528 --wait --idempotency-key k --by cli:jane",
            "sync",
            {"org": "brand_example", "customer": "3528", "wait": True, "key": "k", "by": "cli:jane"},
        ),
        ("status", "status", {"kafka": "kafka:9092"}),
        ("backfill --by jane", "backfill", {"org": "brand_example", "by": "cli:jane"}),
        ("dead-letters list", "dead-letters list", {"org": None, "limit": 100}),
        ("dead-letters list --org a --limit 3", "dead-letters list", {"org": "a", "limit": 3}),
        ("dead-letters show 3:120", "dead-letters show", {"partition": 3, "offset": 120}),
        ("customer show 3528", "customer show", {"org": "brand_example", "customer": "3528"}),
        ("profiles export --jsonl", "profiles export", {"org": "brand_example"}),
    ],
)
def test_a_command_asks_for_what_its_options_say(line: str, command: str, options: dict[str, object]) -> None:
    points = Recorded(answer={"a": 1})
    code, _, err = run(line, points)
    assert (code, points.asked) == (0, [(command, options)]), err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoyaltyError("no"), 1),
        (Refused("no"), 1),
        (Unreadable("no"), 1),
        (Fenced("no"), 1),
        (ConfigurationError("no"), 2),
        (Unreachable("no"), 4),
        (Unavailable("no"), 4),
        (ExceptionGroup("tasks", [ValueError("x"), Unreachable("no")]), 4),
    ],
)
def test_an_error_of_ours_is_said_on_stderr_without_traceback_and_tells_the_exit_code(
    error: Exception, code: int
) -> None:
    assert run("status --json", Recorded(error=error)) == (code, "", "loyalty status: no\n")


def test_any_other_error_is_said_to_be_a_bug() -> None:
    code, out, err = run("status", Recorded(error=KeyError("x")))
    assert (code, out) == (1, "")
    assert "loyalty status: unexpected KeyError: 'x'\nThis is a bug" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback_but_never_a_secret() -> None:
    code, _, err = run("status --debug", Recorded(error=LoyaltyError("bad hunter2-long for jane@mail.example")))
    assert code == 1
    assert "Traceback" in err
    assert "hunter2" not in err
    assert "jane" not in err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("status --config missing.toml", "no configuration file missing.toml"),
        ("sync --org other", "no org 'other' in the configuration. There are: brand_example"),
        ("dead-letters show 3", "is not PARTITION:OFFSET"),
        ("demo --seed many", "Invalid value for '--seed'"),
        ("polls", "No such command 'polls'"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked_for(line: str, said: str) -> None:
    points = Recorded()
    code, out, err = run(line, points)
    assert (code, out, points.asked) == (2, "", [])
    assert said in " ".join(err.replace("│", " ").split())


def test_a_wrong_configuration_ends_with_2_before_anything_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_KAFKA__PARTITIONS", "none")
    points = Recorded()
    code, _, err = run("worker", points)
    assert (code, points.asked) == (2, [])
    assert "kafka.partitions (from LOYALTY_KAFKA__PARTITIONS): 'none'" in err


def test_the_demo_answers_json_on_stdout_and_progress_on_stderr() -> None:
    code, out, err = run("demo --once --json", Recorded())
    assert code == 0
    assert json.loads(out) == {"totalCustomers": 1641, "phases": {"orders": 1.5}}
    assert err == "orders 2,689 of 2,689\n"


def test_a_demo_whose_profiles_are_not_what_they_should_be_has_failed() -> None:
    assert run("demo --once --json", Recorded(answer=Demo(ok=False)))[0] == 1


def test_profiles_are_one_document_a_line_or_one_array() -> None:
    documents = [
        {"customerId": "1", "pointsLastCalculated": "2026-01-30T20:21:58.003Z"},
        {"customerId": "2", "pointsLastCalculated": "2026-01-30T20:21:58.003Z"},
    ]
    assert [json.loads(line) for line in run("profiles export --jsonl", Recorded())[1].splitlines()] == documents
    assert json.loads(run("profiles export --json", Recorded())[1]) == documents


@pytest.mark.parametrize("line", ["customer show 1", "dead-letters show 0:1"])
def test_what_is_not_known_is_a_failure_that_says_so(line: str) -> None:
    code, out, err = run(line, Recorded(answer=None))
    assert (code, out) == (1, "")
    assert "there is no dead letter at 0:1" in err or "no customer 1 is known in org brand_example" in err


def test_topics_need_a_kafka_that_is_not_embedded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "loyalty.toml").write_text("")
    code, _, err = run("topics check", Recorded())
    assert code == 2
    assert "kafka.bootstrap is not set" in err


def test_topics_are_applied_and_checked_on_a_real_kafka(
    kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOYALTY_KAFKA__BOOTSTRAP", kafka)
    monkeypatch.setenv("LOYALTY_KAFKA__PREFIX", topic_prefix)
    monkeypatch.setenv("LOYALTY_KAFKA__PARTITIONS", "2")
    monkeypatch.setenv("LOYALTY_KAFKA__REPLICATION", "1")
    code, out, _ = run("topics check --json", Recorded())
    assert (code, {problem["kind"] for problem in json.loads(out)}) == (1, {"missing"})
    code, out, _ = run("topics apply", Recorded())
    assert (code, f"{topic_prefix}facts: created" in out) == (0, True)
    assert run("topics check", Recorded()) == (0, "every topic is as it should be\n", "")


def test_a_kafka_that_is_not_there_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    code, out, err = run("topics check", Recorded())
    assert (code, out) == (4, "")
    assert "Kafka does not answer at 127.0.0.1:1" in err


def test_messages_are_listed_with_what_became_of_them() -> None:
    sent = {"message": "m-1", "channel": "discord", "outcome": "paused", "attempts": 1, "lastAt": None,
            "title": "Green Leaf: 1 new discrepancy", "reason": "Discord answered 401"}  # fmt: skip
    code, out, _ = run("notify list", Recorded(answer=[sent]))
    assert code == 0
    for said in ("m-1", "discord", "paused", "none yet", "Green Leaf: 1 new discrepancy", "Discord answered 401"):
        assert said in out
    assert run("notify list", Recorded(answer=[]))[1] == "no such messages\n"


@pytest.mark.parametrize(("delivered", "code"), [([True, True], 0), ([True, False], 1)])
def test_notify_test_fails_when_a_channel_did_not_take_the_message(delivered: list[bool], code: int) -> None:
    points = Recorded(answer=[{"channel": f"c{number}", "delivered": each} for number, each in enumerate(delivered)])
    exit_code, out, _ = run("notify test --json", points)
    assert exit_code == code
    assert [each["delivered"] for each in json.loads(out)] == delivered
