"""What is written about the product is true of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.known import commands, parse

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
COMMANDS = list(commands())
ROLES = ("loyalty poll", "loyalty worker", "loyalty sink firestore", "loyalty web")

EXPECTED = {
    "demo", "up", "poll", "worker", "sink firestore", "web", "sync", "status", "backfill", "topics check",
    "topics apply", "dead-letters list", "dead-letters show", "customer show", "profiles export",
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
