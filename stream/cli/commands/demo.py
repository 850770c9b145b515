"""`loyalty demo`: everything, on simulated vendors."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.exits import Exit
from stream.cli.invocation import DebugOption, JsonOption, invocation
from stream.cli.output import show
from stream.cli.progress import shown_progress


def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End after the first complete run.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another shop.")] = 1,
    hostile: Annotated[bool, typer.Option("--hostile", help="Vendors fail in every way they are known to.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the data of the last demo of this seed.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run the whole system on simulated vendors, and compare every profile with an independent calculation.

    Nothing needs to be configured. Exit code 1 when a profile is not what it should be.
    """
    with shown_progress() as progress:
        result = invocation(context, debug=debug).unconfigured(
            lambda points: points.demo(seed=seed, hostile=hostile, keep=keep, once=once, progress=progress)
        )
    show(result.answer(), as_json=as_json)
    if not result.ok:
        raise typer.Exit(Exit.FAILED)
