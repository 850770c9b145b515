"""Commands that only read: what is known, from the views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from stream.cli.entry_points import EntryPoints
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import line_of_json, show
from stream.cli.readable import of_status
from stream.settings import Configuration

profiles = typer.Typer(no_args_is_help=True, help="Every customer's profile.")


def status(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show how every org stands: customers, agreement, last run, vendors."""
    answer = invocation(context, config, debug).configured(lambda points, settings: points.status(settings))
    show(answer, as_json=as_json, readable=of_status)


@profiles.command("export", epilog="Example: loyalty profiles export --org brand_example --jsonl > profiles.jsonl")
def export_profiles(
    context: typer.Context,
    org: OrgOption = None,
    _: Annotated[bool, typer.Option("--jsonl", help="One JSON document a line (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead.")] = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Write every customer document of an org to stdout, as Firestore would hold it."""

    async def export(points: EntryPoints, settings: Configuration) -> list[Mapping[str, object]]:
        documents = points.profiles(settings, org=chosen(settings, org))
        if as_json:
            return [document async for document in documents]
        async for document in documents:
            print(line_of_json(document))  # noqa: T201  # the answer itself
        return []

    collected = invocation(context, config, debug).configured(export)
    if as_json:
        show(collected, as_json=True)
