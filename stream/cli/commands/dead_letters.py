"""`loyalty dead-letters`: records that could not be understood, and what is to become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stream.cli.consent import ByOption, YesOption, actor, require_consent
from stream.cli.desk import Letter, Shown
from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Exit, Failed
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, invocation
from stream.cli.output import show
from stream.cli.readable import of_dead_letters, of_letter_reasons, of_letters_decided
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="Records that could not be understood, with the reason.")
OrgFilter = Annotated[str | None, typer.Option("--org", metavar="ID", help="Only of this org (default: all).")]
Places = Annotated[
    list[str] | None, typer.Argument(metavar="[PARTITION:OFFSET]...", help="Where they are in their topic.")
]
ReasonFilter = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="All undecided ones whose reason contains TEXT.")
]
Decide = Callable[[EntryPoints, Configuration, Sequence[Letter]], Coroutine[Any, Any, Sequence[Shown]]]


@app.command("list", epilog="Example: loyalty dead-letters list --org brand_example --limit 20")
def list_dead_letters(
    context: typer.Context,
    org: OrgFilter = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    by_reason: Annotated[bool, typer.Option("--by-reason", help="Count the undecided ones by reason instead.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the newest dead letters, redacted."""
    called = invocation(context, config, debug)
    if by_reason:
        counted = called.configured(lambda points, settings: points.dead_letter_reasons(settings, org=org))
        show(counted[:limit], as_json=as_json, readable=of_letter_reasons)
        return
    found = called.configured(lambda points, settings: points.dead_letters(settings, org=org, limit=limit))
    show(found, as_json=as_json, readable=of_dead_letters)


@app.command("show", epilog="Example: loyalty dead-letters show 3:120")
def show_dead_letter(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="Where it is in its topic.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show one dead letter, redacted: where it is from, who gave it up, and why."""
    partition, offset = _place(place)

    async def found(points: EntryPoints, settings: Configuration) -> object:
        letter = await points.dead_letter(settings, partition=partition, offset=offset)
        if letter is None:
            raise Failed(f"there is no dead letter at {place}. loyalty dead-letters list shows those there are.")
        return letter

    show(invocation(context, config, debug).configured(found), as_json=as_json)


@app.command(epilog='Example: loyalty dead-letters retry --reason "no order id" --org brand_example')
def retry(
    context: typer.Context,
    places: Places = None,
    reason: ReasonFilter = None,
    org: OrgFilter = None,
    because: Annotated[str | None, typer.Option("--because", metavar="TEXT", help="Why, for the audit.")] = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Try dead letters again with this version's decoder: a record goes into its topic once more, what a vendor sent is
    read again by a run. One that still cannot be understood becomes a dead letter again."""

    async def decide(points: EntryPoints, settings: Configuration, letters: Sequence[Letter]) -> Sequence[Shown]:
        return await points.retry_letters(settings, letters=letters, by=actor(by), because=because)

    _decide(context, config, debug, as_json, places, reason, org, yes, "tried again", decide)


@app.command(epilog='Example: loyalty dead-letters discard 3:120 --because "a test order"')
def discard(
    context: typer.Context,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, for the audit.")],
    places: Places = None,
    reason: ReasonFilter = None,
    org: OrgFilter = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say that nothing is to be done about dead letters. They stay in their topic as long as it keeps them."""

    async def decide(points: EntryPoints, settings: Configuration, letters: Sequence[Letter]) -> Sequence[Shown]:
        return await points.discard_letters(settings, letters=letters, by=actor(by), because=because)

    _decide(context, config, debug, as_json, places, reason, org, yes, "discarded", decide)


def _decide(
    context: typer.Context,
    config: Path | None,
    debug: bool,
    as_json: bool,
    places: Sequence[str] | None,
    reason: str | None,
    org: str | None,
    yes: bool,
    done: str,
    decide: Decide,
) -> None:
    if bool(places) == (reason is not None):
        raise typer.BadParameter("give PARTITION:OFFSET, or --reason TEXT")
    for place in places or ():
        _place(place)
    called = invocation(context, config, debug)
    found = called.configured(
        lambda points, settings: points.letters_to_decide(settings, org=org, places=places or (), reason=reason)
    )
    if found and reason is not None:  # those that are named one by one are meant
        require_consent(_counted(found, done), yes=yes)
    letters = [(str(letter["orgId"]), str(letter["place"])) for letter in found]
    decided = called.configured(lambda points, settings: decide(points, settings, letters)) if letters else []
    show(decided, as_json=as_json, readable=of_letters_decided)
    if any(letter.get("error") for letter in decided):
        raise typer.Exit(Exit.FAILED)


def _counted(found: Sequence[Shown], done: str) -> str:
    reasons = Counter(str(letter["reason"]) for letter in found)
    lines = "".join(f"\n  {count:,}  {reason}" for reason, count in reasons.most_common())
    return f"{len(found):,} dead letters will be {done}:{lines}"


def _place(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition(":")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (partition, offset)):
        raise typer.BadParameter(f"{text!r} is not PARTITION:OFFSET, such as 3:120")
    return int(partition), int(offset)
