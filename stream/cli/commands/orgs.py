"""`loyalty org`: orgs, and whether they are live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.cli.consent import ByOption, YesOption, actor, require_consent
from stream.cli.desk import Shown
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import show
from stream.cli.readable import of_orgs
from stream.contracts.settings import Mode

app = typer.Typer(no_args_is_help=True, help="Orgs, and whether they are live.")
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")]


@app.command("list", epilog="Example: loyalty org list")
def list_orgs(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """List every org with its mode and figures."""
    found = invocation(context, config, debug).configured(lambda points, settings: points.orgs(settings))
    show(found, as_json=as_json, readable=of_orgs)


@app.command("go-live", epilog="Example: loyalty org go-live --org brand_example")
def go_live(
    context: typer.Context,
    org: OrgOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Let an org export profiles and send alerts (mode live). Says what will happen, and asks."""
    _change(context, config, debug, as_json, org, Mode.LIVE, actor(by), reason or "org go-live", yes)


@app.command(epilog="Example: loyalty org pause --org brand_example")
def pause(
    context: typer.Context,
    org: OrgOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Let an org only observe: it goes on computing, exports nothing, alerts of no customer. Says so, and asks."""
    _change(context, config, debug, as_json, org, Mode.OBSERVE, actor(by), reason or "org pause", yes)


def _change(
    context: typer.Context,
    config: Path | None,
    debug: bool,
    as_json: bool,
    org: str | None,
    mode: Mode,
    by: str,
    reason: str,
    yes: bool,
) -> None:
    called = invocation(context, config, debug)
    change = called.configured(
        lambda points, settings: points.mode_change(settings, org=chosen(settings, org), mode=mode)
    )
    answer: Shown = {name: change[name] for name in ("org", "version", "mode")}
    if change["mode"] == mode:
        typer.echo(f"{change['org']} is in mode {mode.value} already.", err=True)
    else:
        require_consent(consequences(change), yes=yes)
        answer = called.configured(
            lambda points, settings: points.change_mode(
                settings,
                org=str(change["org"]),
                mode=mode,
                expected=int(str(change["version"])),
                by=by,
                reason=reason,
            )
        )
    show(answer, as_json=as_json)
    if change["file"] not in (None, mode.value):
        typer.echo(f'Set mode = "{mode.value}" in the file, too: `loyalty settings apply` would undo it.', err=True)


def consequences(change: Shown) -> str:
    """What a change of mode does, in words."""
    org, customers, cases = change["org"], change["customers"], change["liveCases"]
    if change["wanted"] == Mode.OBSERVE:
        return (
            f"{org} pauses: it goes on computing points and cases, but exports no profiles (Firestore keeps what it "
            f"has) and sends no alerts about customers."
        )
    exported = (
        f"{customers:,} profiles will be exported to Firestore"
        if change["exports"]
        else "profiles are marked for export (firestore.project is not set, so nothing is exported)"
    )
    told = f"told by {change['channels']} channels" if change["channels"] else "published, though no channel is set up"
    return (
        f"{org} goes live: {exported}, and from now on discrepancies are {told}. "
        f"The {cases:,} cases that are open already are not told again: `loyalty cases list` shows them."
    )
