"""The roles: processes that run until they are told to stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.invocation import ConfigOption, DebugOption, Invocation, JsonLogsOption, invocation
from stream.cli.progress import shown_progress


def up(
    context: typer.Context, config: ConfigOption = None, json_logs: JsonLogsOption = False, debug: DebugOption = False
) -> None:
    """Run every role for real vendors, with an embedded Kafka unless kafka.bootstrap is set."""
    with shown_progress() as progress:
        _role(context, config, json_logs, debug).configured(
            lambda points, settings: points.up(settings, progress=progress)
        )


def poll(
    context: typer.Context, config: ConfigOption = None, json_logs: JsonLogsOption = False, debug: DebugOption = False
) -> None:
    """Read orders and customers from the point of sale, balances from the provider, and publish them."""
    _role(context, config, json_logs, debug).configured(lambda points, settings: points.poll(settings))


def worker(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Tells workers on one disk apart; keep it over restarts.")] = "1",
    config: ConfigOption = None,
    json_logs: JsonLogsOption = False,
    debug: DebugOption = False,
) -> None:
    """Compute points, verdicts and cases. Start as many as there is work, at most one per partition."""
    _role(context, config, json_logs, debug).configured(lambda points, settings: points.worker(settings, name=name))


def sink_firestore(
    context: typer.Context, config: ConfigOption = None, json_logs: JsonLogsOption = False, debug: DebugOption = False
) -> None:
    """Export the profiles of live orgs to Firestore (firestore.project)."""
    _role(context, config, json_logs, debug).configured(lambda points, settings: points.sink_firestore(settings))


def sink_notify(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--name", help="Tells a standby from the one on duty; keep it over restarts.")
    ] = "1",
    config: ConfigOption = None,
    json_logs: JsonLogsOption = False,
    debug: DebugOption = False,
) -> None:
    """Tell people of alerts and runs by Discord, mail and webhooks. One works; others, named differently, stand by."""
    _role(context, config, json_logs, debug).configured(
        lambda points, settings: points.sink_notify(settings, name=name)
    )


def web(
    context: typer.Context, config: ConfigOption = None, json_logs: JsonLogsOption = False, debug: DebugOption = False
) -> None:
    """Serve health, the API and the views that it reads."""
    _role(context, config, json_logs, debug).configured(lambda points, settings: points.web(settings))


def _role(context: typer.Context, config: Path | None, json_logs: bool, debug: bool) -> Invocation:
    return replace(invocation(context, config, debug), json_logs=json_logs, ends_by_itself=False)
