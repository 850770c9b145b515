"""What is written about the product is true of it."""

from __future__ import annotations

import ast
import json
import re
import shlex
from enum import StrEnum
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from prometheus_client.metrics import MetricWrapperBase

from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.asyncapi.meanings import HEADERS, MEANINGS
from stream.contracts.asyncapi.messages import ALERTS
from stream.contracts.cases import AcceptedDifference, Case, CaseState, CaseStep, CauseKind, Resolution, Step
from stream.contracts.cases import Cause as CaseCause
from stream.contracts.entries import Cause, PointsEntry
from stream.contracts.envelope import Event
from stream.contracts.profiles import Profile, Verdict
from stream.ops.metrics import Metrics
from stream.sinks.document import FIELDS
from tests.cli.known import commands, parse

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *DECISIONS]
SUBSCRIBERS = (ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
HEADINGS: dict[type, str] = {
    Profile: "## `profiles`: Profile",
    PointsEntry: "## `entries`: PointsEntry",
    Case: "## `cases`: Case",
    Alert: "## `alerts`: CloudEvents 1.0, Kafka binary mode",
}
PROGRAMS = [
    (page.name, code)
    for page in PAGES
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
COMMANDS = list(commands())
ROLES = ("loyalty poll", "loyalty worker", "loyalty sink firestore", "loyalty sink notify", "loyalty web")

EXPECTED = {
    "demo", "up", "poll", "worker", "sink firestore", "sink notify", "web", "sync", "status", "backfill",
    "topics check", "topics apply", "dead-letters list", "dead-letters show", "customer show", "customer erase",
    "profiles export", "notify test", "notify list", "notify resend",
    "runs list", "runs show", "runs watch", "cases list",
    "cases show", "cases ack", "cases accept", "cases silence", "cases note", "cases assign", "cases resolve",
    "alerts tail", "alerts replay", "org list", "org go-live", "org pause", "settings show", "settings diff",
    "settings apply", "dead-letters retry", "dead-letters discard", "mcp", "keys create", "keys list", "keys revoke",
    "users add", "users list", "users remove", "users disable",
}  # fmt: skip


def shown_commands(text: str) -> list[str]:
    """What stands after `loyalty ` in code: inline, or a line of a block."""
    inline = re.findall(r"`loyalty ([^`\n]+)`", text)
    blocks = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL))
    lines = re.findall(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*loyalty ([^#\n|>&\\]+)", blocks, re.MULTILINE)
    return [command.strip() for command in inline + lines]


def alternatives(command: str) -> list[str]:
    """`topics check|apply` is two commands; `[--once]` an option that may be left out, `…` anything."""
    words = command.replace("[", "").replace("]", "").replace("…", "").strip()
    match = re.search(r"\S*\|\S*", words)
    if match is None:
        return [words]
    return [words.replace(match.group(), choice) for choice in match.group().split("|")]


def test_these_are_the_commands() -> None:
    assert {words for words, _, _ in COMMANDS} == EXPECTED


@pytest.mark.parametrize(("words", "text", "epilogue"), COMMANDS)
def test_every_command_has_help_with_an_example_that_works(words: str, text: str, epilogue: str) -> None:
    assert len(text) > 20
    match = re.fullmatch(r"Example: loyalty ([^>]+)(> .*)?", epilogue)
    assert match, f"{words} has no example"
    assert parse(shlex.split(match.group(1))) == words


def test_the_readme_shows_only_commands_that_exist() -> None:
    shown = [each for command in shown_commands(README.read_text(encoding="utf-8")) for each in alternatives(command)]
    for command in shown:
        path = command_path(command)
        assert path in EXPECTED | {"--help", "--version"}, f"README shows `loyalty {command}`"


def test_the_readme_names_every_role() -> None:
    text = README.read_text(encoding="utf-8")
    assert [role for role in ROLES if role not in text] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `loyalty poll` now", ["poll"]),
        ("```bash\n$ loyalty up --config x.toml  # go\nPW=x loyalty web\n```", ["up --config x.toml", "web"]),
        ("`loyalty topics check|apply`", ["topics check", "topics apply"]),
        ("the loyalty programme", []),
    ],
)
def test_commands_are_found_in_code_only(text: str, found: list[str]) -> None:
    assert [each for command in shown_commands(text) for each in alternatives(command)] == found


def command_path(command: str) -> str:
    """The longest beginning of a command line that is a command, else its first word."""
    words = command.split()
    beginnings = [" ".join(words[:length]) for length in (2, 1)]
    return next((beginning for beginning in beginnings if beginning in EXPECTED), words[0])


# What is documented for others, against what there is


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str, header: str) -> list[str]:
    """The names in the first column of the table whose first column is called `header`."""
    rows = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert rows, f"there is no table of {header}"
    return [name for row in rows[1].splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def fields_of(struct: type[msgspec.Struct]) -> list[str]:
    return list(struct.__struct_fields__)


def rows(text: str, header: str) -> dict[str, list[str]]:
    """The table whose first column is called `header`: first cell, without its backticks → the other cells."""
    table = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"there is no table of {header}"
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]
    return {first.strip("`"): others for first, *others in cells}


@pytest.mark.parametrize(
    ("struct", "heading", "header"),
    [(struct, heading, "field") for struct, heading in HEADINGS.items()]
    + [
        (CaseStep, HEADINGS[Case], "of a step"),
        (CaseCause, HEADINGS[Case], "of a cause"),
        (AcceptedDifference, HEADINGS[Case], "of an acceptance"),
    ],
)
def test_every_field_that_subscribers_get_is_documented_as_in_the_asyncapi_document(
    struct: type[msgspec.Struct], heading: str, header: str
) -> None:
    documented = {field: meaning for field, (meaning,) in rows(section(SUBSCRIBERS, heading), header).items()}
    assert documented == MEANINGS[struct.__name__]
    assert sorted(documented) == sorted(fields_of(struct))


def test_the_envelope_is_documented() -> None:
    documented = {member: meaning for member, (meaning,) in rows(section(SUBSCRIBERS, "## Envelope"), "member").items()}
    assert documented == MEANINGS["Event"]
    assert sorted(documented) == sorted([*fields_of(Event), "type"])


def test_every_kind_of_alert_is_documented() -> None:
    documented = rows(section(SUBSCRIBERS, HEADINGS[Alert]), "kind")
    assert sorted(documented) == sorted(AlertKind)
    for kind, (when, always) in ALERTS.items():
        assert documented[kind] == [when, "customer" if "customer" in always else "org"]


def test_every_header_of_an_alert_is_documented_with_that_of_a_sample() -> None:
    sample = json.loads((ROOT / "docs" / "samples" / "alerts" / "discrepancy.opened.json").read_text(encoding="utf-8"))
    documented = rows(section(SUBSCRIBERS, HEADINGS[Alert]), "header")
    assert documented == {name: [f"`{sample['headers'][name]}`", meaning] for name, meaning in HEADERS.items()}
    alert = Alert(kind=AlertKind.DISCREPANCY_OPENED, org="o", customer="1", case="o:1:1")
    assert sorted(documented) == sorted(name for name, _ in encode_alert(alert, alert_id="i", at=0)[1])


def test_every_kind_of_cause_is_documented() -> None:
    assert sorted(rows(section(SUBSCRIBERS, HEADINGS[Case]), "kind of cause")) == sorted(CauseKind)


@pytest.mark.parametrize(
    ("words", "struct", "field"),
    [
        (Cause, PointsEntry, "cause"),
        (Verdict, Profile, "verdict"),
        (CaseState, Case, "state"),
        (Resolution, Case, "resolved_as"),
    ],
)
def test_every_word_of_a_closed_list_is_documented(words: type[StrEnum], struct: type, field: str) -> None:
    row = re.search(rf"^\| `{field}` \|(.*)$", section(SUBSCRIBERS, HEADINGS[struct]), re.MULTILINE)
    assert row
    assert sorted(re.findall(r"`([^`]+)`", row[1])) == sorted(words)


def test_every_step_of_a_case_is_documented() -> None:
    (words,) = rows(section(SUBSCRIBERS, HEADINGS[Case]), "of a step")["what"]
    assert sorted(re.findall(r"`([^`]+)`", words)) == sorted(Step)


def test_what_firestore_holds_is_documented() -> None:
    assert sorted(first_cells(section(SUBSCRIBERS, "## Firestore"), "field")) == sorted(FIELDS)


def test_every_metric_is_documented_with_its_labels() -> None:
    rows = re.findall(r"^\| `(loyalty_\w+)` \| ([^|]*) \|", section(OPERATIONS, "## Metrics"), re.MULTILINE)
    documented = {name: [label for label in labels.split(", ") if label] for name, labels in rows}
    assert documented == {metric._name: list(metric._labelnames) for metric in measured()}


def measured() -> list[MetricWrapperBase]:
    return [metric for metric in vars(Metrics()).values() if isinstance(metric, MetricWrapperBase)]


def test_every_log_entry_in_the_runbook_is_one_that_is_written() -> None:
    files = [path for top in ("stream", "producers") for path in sorted(ROOT.glob(f"{top}/**/*.py"))]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    events = first_cells(section(OPERATIONS, "## Logs"), "event")
    assert [event for event in events if f'"{event}' not in source] == []


@pytest.mark.parametrize(("name", "code"), PROGRAMS)
def test_programs_in_the_documentation_compile_and_import_what_there_is(name: str, code: str) -> None:
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports, f"{name} has a program that imports nothing"
    for node in imports:
        if isinstance(node, ast.ImportFrom):
            assert node.module
            module = import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        else:
            for alias in node.names:
                import_module(alias.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere_and_commands_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text)):
        linked = path.parent / target if target else path
        assert linked.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{path.name} links to {target}#{anchor}"
    for command in (each for shown in shown_commands(text) for each in alternatives(shown)):
        assert command_path(command) in EXPECTED | {"--help", "--version"}, f"{path.name} shows `loyalty {command}`"


def anchors(path: Path) -> set[str]:
    """What a heading is called in an address."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_says_what_was_measured(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {int(path.name[:4])}. ")
    assert len(lines) <= 40
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context", "## Decision", "## Consequences", "## Measured",
    ]  # fmt: skip
