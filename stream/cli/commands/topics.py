"""`loyalty topics`: the topics as they should be."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from stream.cli.exits import Exit
from stream.cli.invocation import ConfigOption, DebugOption, Invocation, JsonOption, invocation
from stream.cli.output import show
from stream.errors import ConfigurationError
from stream.settings import KafkaSettings

Answer = TypeVar("Answer")

app = typer.Typer(no_args_is_help=True, help="Create and check the topics of a Kafka that is not embedded.")


@app.command(epilog="Example: loyalty topics check --config loyalty.toml")
def check(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Say what differs from how the topics should be. Exit code 1 when something does."""
    from stream.engine.topics_admin import check_topics

    problems = _with_kafka(
        invocation(context, config, debug),
        lambda bootstrap, kafka: check_topics(bootstrap, kafka.prefix, kafka.partitions, kafka.replicas),
    )
    show(problems if as_json else [*map(str, problems)] or "every topic is as it should be", as_json=as_json)
    if problems:
        raise typer.Exit(Exit.FAILED)


@app.command(epilog="Example: loyalty topics apply --config loyalty.toml")
def apply(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Create the topics that are missing and correct the configuration of the others. Deletes nothing."""
    from stream.engine.topics_admin import apply_topics

    changes = _with_kafka(
        invocation(context, config, debug),
        lambda bootstrap, kafka: apply_topics(bootstrap, kafka.prefix, kafka.partitions, kafka.replicas),
    )
    show(changes if as_json else [*map(str, changes)] or "every topic was as it should be", as_json=as_json)


def _with_kafka(called: Invocation, act: Callable[[str, KafkaSettings], Coroutine[Any, Any, Answer]]) -> Answer:
    async def with_bootstrap(kafka: KafkaSettings) -> Answer:
        if kafka.bootstrap is None:
            raise ConfigurationError(
                "kafka.bootstrap is not set. Set it to the brokers (or LOYALTY_KAFKA__BOOTSTRAP); "
                "the embedded Kafka gets its topics when it is started."
            )
        return await act(kafka.bootstrap, kafka)

    return called.configured(lambda _, settings: with_bootstrap(settings.kafka))
