"""An address that is called after each good run; a watchdog there notices when no call comes."""

from __future__ import annotations

from collections.abc import Callable

from stream.contracts.deliveries import Delivery
from stream.sinks.notify.channel import Receipt
from stream.sinks.notify.http import Address

NAME = "heartbeat"
TIMEOUT_SECONDS = 10.0


class HeartbeatChannel:
    """The call says nothing but that it comes."""

    name = NAME

    def __init__(self, url: str, clean: Callable[[str], str]) -> None:
        self._address = Address("the heartbeat's address", url, TIMEOUT_SECONDS, clean)

    async def send(self, delivery: Delivery) -> Receipt:
        """See `Channel`."""
        return await self._address.ask("GET")

    async def close(self) -> None:
        """See `Channel`."""
        await self._address.close()
