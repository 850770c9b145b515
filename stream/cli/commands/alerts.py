"""`loyalty alerts`: the topic that subscribers read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from time import time
from typing import Annotated

import typer

from stream.cli.consent import YesOption, require_consent
from stream.cli.desk import Shown
from stream.cli.entry_points import EntryPoints
from stream.cli.following import printing
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, invocation
from stream.cli.moments import moment_or_ago
from stream.cli.output import line_of_json, show
from stream.contracts.alerts import AlertKind
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="What subscribers of the alerts read.")
OrgFilter = Annotated[str | None, typer.Option("--org", metavar="ID", help="Only of this org (default: all).")]


@app.command(epilog="Example: loyalty alerts tail --kind discrepancy.opened --from-beginning")
def tail(
    context: typer.Context,
    org: OrgFilter = None,
    kind: Annotated[list[AlertKind] | None, typer.Option("--kind", help="Only of these kinds (default: all).")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Also those that are kept (30 days).")
    ] = False,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON on a terminal, too.")] = False,
    debug: DebugOption = False,
) -> None:
    """Print alerts as they come, until Ctrl-C: each a CloudEvent in one line of JSON (on a terminal, in words)."""
    as_words = sys.stdout.isatty() and not as_json

    async def follow(points: EntryPoints, settings: Configuration) -> None:
        with printing():
            async for event in points.tail_alerts(settings, org=org, kinds=kind or (), from_beginning=from_beginning):
                print(in_words(event) if as_words else line_of_json(event), flush=True)  # noqa: T201

    replace(invocation(context, config, debug), ends_by_itself=False).configured(follow)


@app.command(epilog="Example: loyalty alerts replay --since 24h --customer 3528 --yes")
def replay(
    context: typer.Context,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="From then on: 2026-03-01, a time, or 24h for a day ago.")
    ],
    org: OrgFilter = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Only of this customer.")] = None,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Publish alerts once more, for subscribers that have lost some: the same ids, marked `isReplay`."""
    at = moment_or_ago(since, int(time() * 1000))
    called = invocation(context, config, debug)
    found = called.configured(
        lambda points, settings: points.alerts_since(settings, since=at, org=org, customer=customer)
    )
    count = 0
    if found:
        counted = ", ".join(f"{number:,} {name}" for name, number in found.items())
        require_consent(f"{_alerts(sum(found.values()))} will be published once more: {counted}.", yes=yes)
        count = called.configured(
            lambda points, settings: points.replay_alerts(settings, since=at, org=org, customer=customer)
        )
    show({"replayed": count, "kinds": found} if as_json else f"{_alerts(count)} published once more", as_json=as_json)


def _alerts(number: int) -> str:
    return f"{number:,} {'alert' if number == 1 else 'alerts'}"


def in_words(event: Shown) -> str:
    """An alert as one line for people."""
    data = event.get("data")
    fields = data if isinstance(data, Mapping) else {}
    about = f"customer {fields['customer']}" if fields.get("customer") else str(fields.get("org", ""))
    difference = fields.get("difference")
    parts = [
        event.get("time"),
        str(fields.get("kind", event.get("type"))),
        about,
        f"Alpine IQ {fields.get('provider'):,}, orders {fields.get('ours'):,}, {difference:+,}"
        if isinstance(difference, int)
        else None,
        fields.get("reason"),
        "(replay)" if event.get("isreplay") == "true" else None,
    ]
    return "  ".join(str(part) for part in parts if part)
