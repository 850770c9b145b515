"""All commands, under one name."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from stream.cli.commands import (
    access,
    agent_tool,
    alerts,
    cases,
    customers,
    dead_letters,
    demo,
    notifying,
    orgs,
    reading,
    reconciling,
    roles,
    runs,
    settings,
    topics,
)

app = typer.Typer(
    name="loyalty",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps a dispensary's loyalty points right.",
    epilog="Exit codes: 0 done, 1 failed, 2 configuration or usage, 4 something unreachable, 130 Ctrl-C.",
)
sink = typer.Typer(no_args_is_help=True, help="Carry decisions out elsewhere.")


def main() -> None:
    """The program `loyalty`."""
    app()


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("loyalty-stream"))
        raise typer.Exit


@app.callback()
def loyalty(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Keeps a dispensary's loyalty points right."""


app.command(epilog="Example: loyalty demo --once --json --seed 7")(demo.demo)
app.command(epilog="Example: loyalty up --config loyalty.toml")(roles.up)
app.command(epilog="Example: loyalty poll --config loyalty.toml")(roles.poll)
app.command(epilog="Example: loyalty worker --name 2 --config loyalty.toml")(roles.worker)
sink.command("firestore", epilog="Example: loyalty sink firestore --config loyalty.toml")(roles.sink_firestore)
sink.command("notify", epilog="Example: loyalty sink notify --config loyalty.toml")(roles.sink_notify)
app.add_typer(sink, name="sink")
app.command(epilog="Example: loyalty web --config loyalty.toml")(roles.web)
app.command(epilog="Example: loyalty sync --org brand_example --customer 3528 --wait")(reconciling.sync)
app.command(epilog="Example: loyalty status --json")(reading.status)
app.command(epilog="Example: loyalty backfill --org brand_example")(reconciling.backfill)
app.add_typer(runs.app, name="runs")
app.add_typer(cases.app, name="cases")
app.add_typer(alerts.app, name="alerts")
app.add_typer(orgs.app, name="org")
app.add_typer(settings.app, name="settings")
app.command("mcp", epilog="Example: loyalty mcp --config loyalty.toml")(agent_tool.mcp)
app.add_typer(topics.app, name="topics")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(customers.app, name="customer")
app.add_typer(reading.profiles, name="profiles")
app.add_typer(notifying.app, name="notify")
app.add_typer(access.keys, name="keys")
app.add_typer(access.users, name="users")
