"""Opening a Kafka client so that nothing stays open when the opening is cancelled."""

from __future__ import annotations

import asyncio
from typing import Protocol

CANCELLED_SECONDS = 5.0  # what a cancelled opening may still take before it is cut off


class Client(Protocol):
    """What aiokafka's consumer, producer and admin client have in common."""

    async def start(self) -> None:
        """Connect."""


async def connect(client: Client) -> None:
    """Start `client`; the caller closes it, whatever happens here.

    A client of aiokafka that is cancelled while it asks its first broker for the cluster forgets that
    connection, and closing the client does not close it. So a cancelled opening is let finish first.
    Raises what `client.start` raises.
    """
    opening = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening], timeout=CANCELLED_SECONDS)
        if not opening.done():
            opening.cancel()
        elif not opening.cancelled():
            opening.exception()  # seen: the caller gives up for another reason
        raise
