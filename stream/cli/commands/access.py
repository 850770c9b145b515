"""`loyalty keys` and `loyalty users`: who may call the API and log in to the dashboard."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Failed
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import show
from stream.contracts.access import ALL_ORGS, Role
from stream.settings import Configuration

keys = typer.Typer(no_args_is_help=True, help="API keys: created, listed, revoked.")
users = typer.Typer(no_args_is_help=True, help="People who log in to the dashboard.")

EveryOrgOption = Annotated[bool, typer.Option("--every-org", help="For every org, instead of one.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do; each may all that the ones before may.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")]


@keys.command("create", epilog='Example: loyalty keys create --name "till 1" --role support')
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What it is for, as lists and the audit show it.")],
    role: RoleOption = Role.VIEWER,
    days: Annotated[int, typer.Option("--days", min=0, max=3650, help="Ends after so many days; 0: never.")] = 365,
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Create an API key and print its token, which is kept nowhere."""
    made = invocation(context, config, debug).configured(
        lambda points, settings: points.create_key(
            settings,
            org=_org(settings, org, every_org),
            name=name,
            role=role.value,
            days=days,
            reason=reason or "keys create",
        )
    )
    show(made, as_json=as_json)


@keys.command("list", epilog="Example: loyalty keys list --org brand_example")
def list_keys(
    context: typer.Context,
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the API keys of an org, revoked and expired ones too."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.keys(settings, org=_org(settings, org, every_org))
    )
    show(found, as_json=as_json)


@keys.command("revoke", epilog="Example: loyalty keys revoke 1f3a9c0b")
def revoke_key(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as the list shows it.")],
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """End an API key now, wherever it is used."""

    async def revoked(points: EntryPoints, settings: Configuration) -> object:
        chosen_org = _org(settings, org, every_org)
        found = await points.revoke_key(settings, org=chosen_org, key=key, reason=reason or "keys revoke")
        if found is None:
            raise Failed(f"org {chosen_org} has no key {key}. loyalty keys list shows those there are.")
        return found

    show(invocation(context, config, debug).configured(revoked), as_json=as_json)


@users.command("add", epilog="Example: loyalty users add ana --role manager")
def add_user(
    context: typer.Context,
    name: NameArgument,
    role: RoleOption = Role.VIEWER,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it.")
    ] = False,
    keep_password: Annotated[
        bool, typer.Option("--keep-password", help="Only the role: the user exists and has a password.")
    ] = False,
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Give somebody a role in an org, or another one; and a password, which ends their sessions."""
    password = None if keep_password else _password(password_stdin)
    made = invocation(context, config, debug).configured(
        lambda points, settings: points.set_user(
            settings,
            org=_org(settings, org, every_org),
            name=name,
            role=role.value,
            password=password,
            reason=reason or "users add",
        )
    )
    show(made, as_json=as_json)


@users.command("list", epilog="Example: loyalty users list --org brand_example")
def list_users(
    context: typer.Context,
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List who has a role in an org."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.users(settings, org=_org(settings, org, every_org))
    )
    show(found, as_json=as_json)


@users.command("remove", epilog="Example: loyalty users remove ana --org brand_example")
def remove_user(
    context: typer.Context,
    name: NameArgument,
    org: OrgOption = None,
    every_org: EveryOrgOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take somebody's role in an org. Their sessions see it at once."""
    removed = invocation(context, config, debug).configured(
        lambda points, settings: points.remove_user(
            settings, org=_org(settings, org, every_org), name=name, reason=reason or "users remove"
        )
    )
    show(removed, as_json=as_json)


@users.command("disable", epilog="Example: loyalty users disable ana")
def disable_user(
    context: typer.Context,
    name: NameArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Shut somebody out of every org; their sessions end now."""

    async def disabled(points: EntryPoints, settings: Configuration) -> object:
        found = await points.disable_user(settings, name=name, disabled=not undo, reason=reason or "users disable")
        if found is None:
            raise Failed(f"there is no user {name}.")
        return found

    show(invocation(context, config, debug).configured(disabled), as_json=as_json)


def _org(settings: Configuration, org: str | None, every_org: bool) -> str:
    return ALL_ORGS if every_org else chosen(settings, org)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt(
        "Password (12 characters or more)", hide_input=True, confirmation_prompt=True, err=True
    )
    return password
