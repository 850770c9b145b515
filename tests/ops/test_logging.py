from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from pydantic import SecretStr

from stream.ops.logging import configure_logging, hide, secrets_of
from stream.ops.redaction import REDACTED
from stream.settings import AlleavesSettings, Configuration, OrgConfiguration


def entries(target: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in target.getvalue().splitlines()]


def test_an_entry_is_one_line_of_json_with_level_logger_and_time() -> None:
    target = io.StringIO()
    configure_logging(to=target)
    structlog.get_logger("stream.x").info("sync started", org="a", orders=3)
    [entry] = entries(target)
    assert str(entry.pop("timestamp")).endswith("Z")
    assert entry == {"event": "sync started", "org": "a", "orders": 3, "level": "info", "logger": "stream.x"}


def test_neither_secrets_nor_personal_data_are_logged_by_anyone() -> None:
    target = io.StringIO()
    configure_logging(to=target, secrets=("hunter2-long",))
    structlog.get_logger("stream.x").info("login with hunter2-long", phone="+15551234567", password="x")
    logging.getLogger("aiokafka").warning("sent %s to %s", "hunter2-long", "jane@mail.example")
    try:
        raise ValueError("hunter2-long is wrong for jane@mail.example")
    except ValueError:
        structlog.get_logger("producers.x").exception("failed")
    assert len(entries(target)) == 3
    for private in ("hunter2", "5551234567", "jane"):
        assert private not in target.getvalue()


def test_secrets_that_become_known_later_are_not_logged_either() -> None:
    target = io.StringIO()
    configure_logging(to=target, secrets=("hunter2-long",))
    hide(["from-the-brand-document"])
    structlog.get_logger("stream.x").info("from-the-brand-document and hunter2-long")
    logging.getLogger("aiokafka").warning("sent %s", "from-the-brand-document")
    assert [entry["event"] for entry in entries(target)] == [f"{REDACTED} and {REDACTED}", f"sent {REDACTED}"]


@pytest.mark.parametrize(
    ("logger", "level", "logged"),
    [
        ("stream.agents", logging.DEBUG, True),
        ("producers.alleaves", logging.DEBUG, True),
        ("faust.worker", logging.INFO, False),
        ("faust.worker", logging.WARNING, True),
        ("aiokafka.consumer", logging.INFO, False),
        ("aiokafka.consumer", logging.ERROR, True),
    ],
)
def test_libraries_speak_from_warning_whatever_our_own_level(logger: str, level: int, logged: bool) -> None:
    target = io.StringIO()
    configure_logging("debug", to=target)
    logging.getLogger(logger).log(level, "said")
    assert [entry["event"] for entry in entries(target)] == (["said"] if logged else [])


def test_the_root_logger_is_never_at_debug_because_faust_pays_for_it() -> None:
    configure_logging("debug", to=io.StringIO())
    assert logging.getLogger().level == logging.WARNING


def test_our_own_level_is_the_configured_one() -> None:
    target = io.StringIO()
    configure_logging("warning", to=target)
    structlog.get_logger("stream.x").info("said")
    assert entries(target) == []


def test_a_terminal_gets_readable_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    target = Terminal()
    configure_logging(to=target)
    structlog.get_logger("stream.x").info("sync started", org="a")
    assert "sync started" in target.getvalue()
    assert not target.getvalue().startswith("{")


def test_the_secrets_of_a_configuration_are_found_wherever_they_are() -> None:
    access = AlleavesSettings(username="u", password=SecretStr("one"), pin=SecretStr("two"))
    configuration = Configuration(orgs=(OrgConfiguration(id="a", alleaves=access),))
    assert set(secrets_of(configuration)) == {"one", "two"}
