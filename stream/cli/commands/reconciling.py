"""Commands that make something happen once: a run, a backfill."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.consent import ByOption, actor
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import show
from stream.cli.progress import shown_progress
from stream.cli.readable import of_asked


def sync(
    context: typer.Context,
    org: OrgOption = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Only this customer (default: the whole org).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the run to end and print its result.")] = False,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", metavar="KEY", help="The same key again does not start another run."),
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare points with the provider now, for an org or one customer. Exit code 1 when the run failed."""
    with shown_progress() as progress:
        answer = invocation(context, config, debug).configured(
            lambda points, settings: points.sync(
                settings,
                org=chosen(settings, org),
                customer=customer,
                wait=wait,
                key=key,
                progress=progress,
                by=actor(by),
            )
        )
    show(answer, as_json=as_json, readable=of_asked)


def backfill(
    context: typer.Context,
    org: OrgOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read an org's whole history (history_days) once. It goes on where it was interrupted."""
    with shown_progress() as progress:
        answer = invocation(context, config, debug).configured(
            lambda points, settings: points.backfill(
                settings, org=chosen(settings, org), progress=progress, by=actor(by)
            )
        )
    show(answer, as_json=as_json, readable=of_asked)
