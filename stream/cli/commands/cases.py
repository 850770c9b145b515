"""`loyalty cases`: discrepancies, and what people decide about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import time
from typing import Annotated

import typer

from stream.cli.consent import ByOption, actor
from stream.cli.desk import CaseDecision, Shown
from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Failed
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.moments import moment, span
from stream.cli.output import show
from stream.cli.readable import of_case, of_cases
from stream.contracts.cases import CaseState
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="Discrepancies, and what is decided about them.")
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE", help="Its id, such as brand_example:3528:1. See `loyalty cases list`.")
]


@app.command("list", epilog="Example: loyalty cases list --org brand_example --state open")
def list_cases(
    context: typer.Context,
    org: OrgOption = None,
    state: Annotated[CaseState | None, typer.Option("--state", help="Only in this state (default: all live).")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Those that are over instead.")] = False,
    assigned_to: Annotated[
        str | None, typer.Option("--assigned-to", metavar="NAME", help="Only those that NAME looks after.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List cases, the one with most unexplained points first."""
    found = invocation(context, config, debug).configured(
        lambda points, settings: points.cases(
            settings,
            org=chosen(settings, org),
            state=state,
            resolved=resolved,
            assigned_to=assigned_to,
            limit=limit,
        )
    )
    show(found, as_json=as_json, readable=of_cases)


@app.command("show", epilog="Example: loyalty cases show brand_example:3528:1")
def show_case(
    context: typer.Context,
    case: CaseArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show one case: both sides, likely causes, everything that happened to it."""
    found = invocation(context, config, debug).configured(lambda points, settings: _known(points, settings, case))
    show(found, as_json=as_json, readable=of_case)


@app.command("ack", epilog='Example: loyalty cases ack brand_example:3528:1 --note "asking Alpine IQ"')
def acknowledge(
    context: typer.Context,
    case: CaseArgument,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What others should know.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say that somebody has seen it: open becomes acknowledged."""
    _decide(context, config, debug, as_json, case, lambda _: AcknowledgeCase(case, actor(by), note))


@app.command(epilog='Example: loyalty cases accept brand_example:3528:1 --reason "opening balance" --until 2026-03-01')
def accept(
    context: typer.Context,
    case: CaseArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why the difference is right.")],
    points: Annotated[
        int | None,
        typer.Option(
            "--points", metavar="N", help="The difference that is right, Alpine IQ − ours (default: the case's)."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Until then (default: for good); 2026-03-01, UTC.")
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Declare a difference to be right. The case ends; it opens again when the difference moves away from it."""
    ends = moment(until) if until else None
    _said(reason, "--reason")

    def decision(known: Shown) -> CaseDecision:
        accepted = points if points is not None else int(str(known["discrepancy"]))
        return AcceptDifference(case, actor(by), accepted, reason, ends)

    _decide(context, config, debug, as_json, case, decision)


@app.command(epilog="Example: loyalty cases silence brand_example:3528:1 --for 3d")
def silence(
    context: typer.Context,
    case: CaseArgument,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until then; 2026-03-01, UTC.")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="For so long: 90m, 12h, 3d, 2w.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Send no alerts about it for a while. The case goes on."""
    ends = _end_of(until, for_)
    _decide(context, config, debug, as_json, case, lambda _: SilenceCase(case, actor(by), ends, reason))


@app.command(epilog='Example: loyalty cases note brand_example:3528:1 "ticket 4711 at Alpine IQ"')
def note(
    context: typer.Context,
    case: CaseArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be kept.")],
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write something down in its history. No personal data: it stays."""
    _said(text, "TEXT")
    _decide(context, config, debug, as_json, case, lambda _: NoteCase(case, actor(by), text))


@app.command(epilog="Example: loyalty cases assign brand_example:3528:1 jane")
def assign(
    context: typer.Context,
    case: CaseArgument,
    to: Annotated[str | None, typer.Argument(metavar="NAME", help="Who is to look after it.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody any more.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say who looks after it."""
    if (to is None) != nobody:
        raise typer.BadParameter("give NAME, or --nobody")
    _decide(context, config, debug, as_json, case, lambda _: AssignCase(case, actor(by), to, reason))


@app.command(epilog='Example: loyalty cases resolve brand_example:3528:1 --reason "corrected at Alpine IQ"')
def resolve(
    context: typer.Context,
    case: CaseArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is over.")],
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """End it. A difference that is found again opens a new one."""
    _said(reason, "--reason")
    _decide(context, config, debug, as_json, case, lambda _: ResolveCase(case, actor(by), reason))


def _decide(
    context: typer.Context,
    config: Path | None,
    debug: bool,
    as_json: bool,
    case: str,
    decision: Callable[[Shown], CaseDecision],
) -> None:
    async def decided(points: EntryPoints, settings: Configuration) -> Shown:
        return await points.decide_case(settings, decision(await _known(points, settings, case)))

    answer = invocation(context, config, debug).configured(decided)
    show(answer, as_json=as_json, readable=lambda shown: of_case(_case_of(shown)))
    if not answer.get("inEffect"):
        typer.echo("It is published, but nobody has taken it up yet: does `loyalty worker` run?", err=True)


def _case_of(answer: object) -> object:
    return answer.get("case") if isinstance(answer, Mapping) else answer


async def _known(points: EntryPoints, settings: Configuration, case: str) -> Shown:
    found = await points.case(settings, case=case)
    if found is None:
        raise Failed(
            f"there is no case {case}. An id is ORG:CUSTOMER:NUMBER; `loyalty cases list` shows those there are."
        )
    return found


def _end_of(until: str | None, for_: str | None) -> int:
    if (until is None) == (for_ is None):
        raise typer.BadParameter("give --until TIME or --for SPAN")
    now = int(time() * 1000)
    ends = now + span(for_) if for_ else moment(until or "")
    if ends <= now:
        raise typer.BadParameter(f"{until} is over already")
    return ends


def _said(text: str, name: str) -> None:
    if not text.strip():
        raise typer.BadParameter(f"{name} must say something")
