"""`loyalty customer`: one customer, as known; and forgetting one."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.consent import ByOption, YesOption, actor, require_consent
from stream.cli.entry_points import EntryPoints
from stream.cli.exits import Failed
from stream.cli.invocation import ConfigOption, DebugOption, JsonOption, OrgOption, chosen, invocation
from stream.cli.output import show
from stream.cli.readable import of_customer, of_erased
from stream.settings import Configuration

app = typer.Typer(no_args_is_help=True, help="What is known of a customer; and forgetting one.")
CustomerArgument = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The point of sale's customer id.")]


@app.command("show", epilog="Example: loyalty customer show 3528 --org brand_example")
def show_customer(
    context: typer.Context,
    customer_id: CustomerArgument,
    org: OrgOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a customer's points, verdict and how they came about."""

    async def found(points: EntryPoints, settings: Configuration) -> object:
        known = await points.customer(settings, org=chosen(settings, org), customer=customer_id)
        if known is None:
            raise Failed(f"no customer {customer_id} is known in org {chosen(settings, org)}.")
        return known

    show(invocation(context, config, debug).configured(found), as_json=as_json, readable=of_customer)


@app.command("erase", epilog='Example: loyalty customer erase 3528 --org brand_example --because "asked by letter"')
def erase_customer(
    context: typer.Context,
    customer_id: CustomerArgument,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, for the audit. Without names.")],
    org: OrgOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Forget a person, for good: name, phones, e-mail and the link to the provider. Order amounts stay, nameless."""
    called = invocation(context, config, debug)

    async def whose(points: EntryPoints, settings: Configuration) -> str:
        return chosen(settings, org)

    brand = called.configured(whose)
    require_consent(
        f"Customer {customer_id} of {brand} will be forgotten, and cannot be brought back: name, phones, e-mail and "
        "the link to Alpine IQ go; amounts of orders stay, without a name. Alleaves, Alpine IQ and backups are yours "
        "to look after.",
        yes=yes,
    )
    erased = called.configured(
        lambda points, settings: points.erase_customer(
            settings, org=brand, customer=customer_id, by=actor(by), because=because
        )
    )
    show(erased, as_json=as_json, readable=of_erased)
