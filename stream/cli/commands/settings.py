"""`loyalty settings`: the numbered settings of an org, and what the file says."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.consent import ByOption, YesOption, actor, require_consent
from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Exit, Failed
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import show
from stream.cli.readable import effect_in_words, of_difference, of_settings
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="The settings in force, and those of the file.")


@app.command("show", epilog="Example: loyalty settings show --org brand_example")
def show_settings(
    context: typer.Context,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the settings that points and discrepancies are computed with."""

    async def found(points: EntryPoints, settings: Configuration) -> object:
        known = await points.settings_in_force(settings, org=chosen(settings, org))
        if known is None:
            raise Failed(
                f"org {chosen(settings, org)} has no settings yet: they come with the first start of its poller."
            )
        return known

    show(invocation(context, config, debug).configured(found), as_json=as_json, readable=of_settings)


@app.command(epilog="Example: loyalty settings diff --config loyalty.toml")
def diff(
    context: typer.Context,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say how the file differs from what is in force, and what it would change. Exit code 1 when it differs."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.settings_difference(settings, org=chosen(settings, org))
    )
    show(found, as_json=as_json, readable=of_difference)
    if not as_json and found["changes"]:
        typer.echo(effect_in_words(found), err=True)
    if found["changes"]:
        raise typer.Exit(Exit.FAILED)


@app.command(epilog='Example: loyalty settings apply --config loyalty.toml --reason "silver at 400"')
def apply(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")] = "settings apply",
    org: OrgOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put the file's settings in force as the next version. Shows what changes, and asks."""
    called = invocation(context, config, debug)
    found = called.configured(lambda points, settings: points.settings_difference(settings, org=chosen(settings, org)))
    if not found["changes"]:
        same = {"org": found["org"], "version": found["version"]}
        show(same if as_json else "the file's settings are in force already", as_json=as_json)
        return
    if not as_json:
        show(found, as_json=False, readable=of_difference)
    require_consent(effect_in_words(found), yes=yes)
    answer = called.configured(
        lambda points, settings: points.apply_settings(
            settings, org=str(found["org"]), expected=int(str(found["version"])), by=actor(by), reason=reason
        )
    )
    show(answer, as_json=as_json)
