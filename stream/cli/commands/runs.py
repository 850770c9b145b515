"""`loyalty runs`: reconciliations, past and under way."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.desk import Shown
from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Exit, Failed
from stream.cli.following import printing, watched
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import line_of_json, show
from stream.cli.readable import of_run, of_runs
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="Reconciliations, past and under way.")
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, such as brand_example:daily:first.")]


@app.command("list", epilog="Example: loyalty runs list --org brand_example --limit 10")
def list_runs(
    context: typer.Context,
    org: Annotated[str | None, typer.Option("--org", metavar="ID", help="Only of this org (default: all).")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the newest runs: when, how long, with what result."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.runs(settings, org=org, limit=limit)
    )
    show(found, as_json=as_json, readable=of_runs)


@app.command("show", epilog="Example: loyalty runs show brand_example:daily:first")
def show_run(
    context: typer.Context,
    run: RunArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show one run: who asked for it, what each phase took, what it counted, why it failed."""

    async def found(points: EntryPoints, settings: Configuration) -> Shown:
        known = await points.run(settings, run=run)
        if known is None:
            raise Failed(f"no run {run} is known. `loyalty runs list` shows those there are.")
        return known

    show(invocation(context, config, debug).configured(found), as_json=as_json, readable=of_run)


@app.command(epilog="Example: loyalty runs watch --org brand_example")
def watch(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Its id (default: the one under way, else the last).")
    ] = None,
    upcoming: Annotated[bool, typer.Option("--next", help="Wait for the next one that begins.")] = False,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON whenever something changes.")] = False,
    debug: DebugOption = False,
) -> None:
    """Watch a run to its end. Exit code 1 when it failed."""
    if run is not None and upcoming:
        raise typer.BadParameter("give RUN or --next")

    async def follow(points: EntryPoints, settings: Configuration) -> Shown:
        of = chosen(settings, org) if run is None else None
        last: Shown = {}
        with printing(), watched(silent=as_json) as tell:
            async for last in points.watch_run(settings, org=of, run=run, upcoming=upcoming):
                tell(last)
                if as_json:
                    print(line_of_json(last), flush=True)  # noqa: T201  # the answer itself
        return last

    ended = invocation(context, config, debug).configured(follow)
    if not as_json:
        show(ended, as_json=False, readable=of_run)
    if ended.get("outcome") != "completed":
        raise typer.Exit(Exit.FAILED)
