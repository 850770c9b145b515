"""One channel's messages, one after the other. What happens to each:

    1  `pending` is in the log, with everything that the message says
    2  the remote side is asked
    3  the outcome is in the log

A crash between 2 and 3 leaves a message of which nobody knows whether it arrived: it is sent once more, under the
same id. A lane knows nothing of other lanes: a channel that hangs or refuses holds back nobody else's messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from stream.contracts.deliveries import Delivery, Outcome
from stream.sinks.notify.channel import Busy, Channel, ChannelRefused, MessageRefused, Receipt
from stream.sinks.notify.clock import Clock

log = structlog.get_logger(__name__)

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
OPEN = frozenset({Outcome.PENDING, Outcome.RETRYING, Outcome.PAUSED})
"""Outcomes after which a message is still to be sent."""

Write = Callable[[str, Delivery], Awaitable[None]]


@dataclass
class _Waiting:
    """A message, and the monotonic time before which it is not tried."""

    delivery: Delivery
    not_before: float


class Lane:
    """Sends one channel's messages in order. `write` puts a record of an org's message into the log; `counts` rises by
    (org, channel, outcome); `give_up_seconds`: how long a message is tried."""

    def __init__(
        self,
        org: str,
        channel: Channel,
        write: Write,
        clock: Clock,
        *,
        give_up_seconds: float,
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        self._org = org
        self._channel = channel
        self._write = write
        self._clock = clock
        self._give_up_seconds = give_up_seconds
        self._counts = counts
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self.paused: str | None = None
        """Why nothing is sent, while that is so."""

    @property
    def waiting(self) -> int:
        """Messages that have not been delivered yet."""
        return len(self._queue)

    def put(self, delivery: Delivery) -> None:
        """One more to send, not before its `next_at`. One that paused the channel before a restart is tried anew."""
        if delivery.outcome is Outcome.PAUSED:
            delivery = replace(delivery, first_at=None)
        wait = max((delivery.next_at or 0) - self._clock.millis(), 0) / 1000
        self._queue.append(_Waiting(delivery, self._clock.monotonic() + wait))
        self._wake.set()

    def ask(self, delivery: Delivery) -> None:
        """Somebody wants this message now, again or at last; so a paused channel has been put right."""
        self.paused = None
        waiting = next((each for each in self._queue if each.delivery.message == delivery.message), None)
        if waiting is None:
            self.put(delivery)
        else:
            waiting.not_before = self._clock.monotonic()
        self._wake.set()

    async def run(self) -> None:
        """Send for ever. Raises what `write` raises."""
        while True:
            await self._until_due()
            async with self._turn:
                waiting = self._queue[0]
                waiting.delivery = await self._attempt(waiting.delivery)
                self._settle(waiting)

    async def finish(self, seconds: float) -> None:
        """Let an attempt that is under way end, within a bound; the lane does nothing more then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._turn.acquire()

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            wait = self._wait_seconds()
            if wait is not None and wait <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _wait_seconds(self) -> float | None:
        """None: until something changes."""
        if self.paused is not None or not self._queue:
            return None
        return self._queue[0].not_before - self._clock.monotonic()

    async def _attempt(self, delivery: Delivery) -> Delivery:
        now = self._clock.millis()
        attempt = replace(
            delivery,
            outcome=Outcome.PENDING,
            attempts=delivery.attempts + 1,
            first_at=delivery.first_at or now,
            last_at=now,
            next_at=None,
        )
        await self._write(self._org, attempt)  # 1
        ended = await self._asked(attempt)  # 2
        await self._write(self._org, ended)  # 3
        return ended

    async def _asked(self, attempt: Delivery) -> Delivery:
        try:
            receipt = await self._channel.send(attempt)
        except Busy as error:
            return self._later(attempt, error)
        except ChannelRefused as error:
            return replace(attempt, outcome=Outcome.PAUSED, status=error.status, reason=str(error))
        except MessageRefused as error:
            return replace(attempt, outcome=Outcome.GIVEN_UP, status=error.status, reason=str(error))
        except Exception as error:  # a bug with this message must not keep the others from their readers
            log.exception("notify: a message could not be made", org=self._org, channel=self._channel.name)
            return replace(attempt, outcome=Outcome.GIVEN_UP, reason=f"could not be made: {type(error).__name__}")
        return _delivered(attempt, receipt)

    def _later(self, attempt: Delivery, error: Busy) -> Delivery:
        tried_seconds = (self._clock.millis() - (attempt.first_at or 0)) / 1000
        if tried_seconds >= self._give_up_seconds:
            reason = f"{error}; tried {attempt.attempts} times"
            return replace(attempt, outcome=Outcome.GIVEN_UP, status=error.status, reason=reason)
        next_at = self._clock.millis() + int(1000 * wait_seconds(attempt.attempts, error.retry_after))
        return replace(attempt, outcome=Outcome.RETRYING, status=error.status, reason=str(error), next_at=next_at)

    def _settle(self, waiting: _Waiting) -> None:
        ended = waiting.delivery
        self._counts[(self._org, self._channel.name, ended.outcome.value)] += 1
        entry = log.bind(org=self._org, channel=self._channel.name, message=ended.message, attempts=ended.attempts)
        match ended.outcome:
            case Outcome.DELIVERED:
                entry.info("message delivered", kind=ended.kind.value, title=ended.title)
            case Outcome.RETRYING:
                waiting.not_before = self._clock.monotonic() + ((ended.next_at or 0) - self._clock.millis()) / 1000
                entry.warning("message not delivered, trying again", reason=ended.reason)
                return
            case Outcome.PAUSED:
                self.paused = ended.reason
                entry.error("channel paused: put it right, then `loyalty notify resend`", reason=ended.reason)
                return
            case _:
                entry.error("message given up", reason=ended.reason)
        self._queue.popleft()


def wait_seconds(attempts: int, retry_after: float | None) -> float:
    """Doubling, with jitter over its upper half, and never less than the remote side asked for."""
    longest = min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS)
    return (retry_after or 0) + random.uniform(longest / 2, longest)


def _delivered(attempt: Delivery, receipt: Receipt) -> Delivery:
    return replace(attempt, outcome=Outcome.DELIVERED, status=receipt.status, reason=receipt.note)
