"""`loyalty notify`: what a person asks of the channels."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.exits import Exit
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import plain, show
from stream.cli.readable import of_deliveries

app = typer.Typer(
    no_args_is_help=True, help="Messages to people: try channels, see what became of each, send one once more."
)


@app.command("test", epilog="Example: loyalty notify test --org brand_example")
def try_channels(
    context: typer.Context,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Send a test message to every channel of an org. Exit code 1 when one of them did not take it."""
    tried = invocation(context, config, debug).configured(
        lambda points, settings: points.notify_test(settings, org=chosen(settings, org))
    )
    show(tried, as_json=as_json)
    if not all(_delivered(each) for each in tried):
        raise typer.Exit(Exit.FAILED)


@app.command("list", epilog="Example: loyalty notify list --undelivered")
def list_messages(
    context: typer.Context,
    org: OrgOption = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="Only what nobody has: waiting, paused, given up.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List messages with their ids, channel by channel, and what became of each: attempts, answer, reason."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.notify_list(
            settings, org=chosen(settings, org), undelivered=undelivered, limit=limit
        )
    )
    show(found, as_json=as_json, readable=of_deliveries)


@app.command(epilog="Example: loyalty notify resend m-0f8a3c5e9d1b7a2c4e60 --channel discord")
def resend(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id. See `loyalty notify list`.")],
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="NAME", help="Only to this channel (default: to all it went to).")
    ] = None,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Send a message once more, under the same id. A channel that was paused goes on."""
    asked = invocation(context, config, debug).configured(
        lambda points, settings: points.notify_resend(
            settings, org=chosen(settings, org), message=message, channel=channel
        )
    )
    show(asked, as_json=as_json)


def _delivered(tried: object) -> bool:
    fields = plain(tried)
    return isinstance(fields, dict) and fields.get("delivered") is True
