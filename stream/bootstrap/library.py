"""The service as a library.

async with loyalty_sync("loyalty.toml") as service:
    answer = await service.check_points("+15551234567", "brand_example")
    print(answer["primary"], answer["calculated"], answer["reconciliation"])
    await service.sync_customer("3528", "brand_example", wait_seconds=30)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from stream.bootstrap.browsing import views_at
from stream.bootstrap.places import kafka_of
from stream.configuration import load
from stream.engine.publisher import KafkaPublisher
from stream.settings import Configuration
from stream.web.service import LoyaltySync


@contextlib.asynccontextmanager
async def loyalty_sync(config: str | Path | None = None) -> AsyncIterator[LoyaltySync]:
    """The service over the views and the log of a configuration file (None: as the command line finds one).

    The views must be kept beside it by `loyalty web` or `loyalty up`. Kafka is connected to with the first thing that
    is asked of it. Raises ConfigurationError, and Unreachable when nothing runs there.
    """
    configuration = load(Path(config) if config is not None else None, os.environ)
    publisher = KafkaPublisher(kafka_of(configuration), configuration.kafka.prefix, client_id="library")
    with views_at(configuration) as views:
        try:
            yield LoyaltySync(views, publisher, regions=regions_of(configuration))
        finally:
            await publisher.stop()


def regions_of(configuration: Configuration) -> dict[str, str]:
    """By org, whose phone numbers are meant when they name no country."""
    return {org.id: org.alleaves.phone_region for org in configuration.orgs if org.alleaves}
