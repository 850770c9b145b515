"""Working off the commands of one org: sweeps one of a kind at a time, look-ups beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from producers.alpine_iq.translate import SOURCE as ALPINE_IQ
from producers.http import Clock
from producers.redaction import redacted
from producers.role.parts import OrgProducer
from producers.role.progress import SOURCE, told
from stream.contracts import topics
from stream.contracts.commands import LookUpBalance, SweepBalances, SweepOrders
from stream.contracts.facts import FACTS, LookUpFailed
from stream.contracts.names import CustomerId, account_key
from stream.contracts.runs import RUNS, BalanceSweepEnded, OrdersSweepEnded
from stream.engine.ports import Output, Publisher
from stream.errors import Unreachable

log = structlog.get_logger(__name__)

Command = SweepOrders | SweepBalances | LookUpBalance
RETRY_MAX_SECONDS = 30.0
STOP_SECONDS = 5.0
LOOK_UPS_AT_ONCE = 16
"""Of an org. Each reads Kafka over connections of its own, and the vendors' budgets let no more through anyway."""


class OrgCommands:
    """Commands of one org. Each is repeated until its answer is acknowledged by Kafka; what a vendor does or does
    not answer is an answer. `done` is called with the offset of a command that need not be repeated.
    """

    def __init__(
        self, producer: OrgProducer, publisher: Publisher, done: Callable[[int], None], clock: Clock | None = None
    ) -> None:
        self._producer = producer
        self._publisher = publisher
        self._done = done
        self._clock = clock or Clock()
        self._ready = asyncio.Event()
        self._look_ups = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._sweeps: dict[type[Command], int] = {}
        self._log = log.bind(org=producer.org)

    def begin(self) -> None:
        """The org's settings are there: carry out what has been submitted, and what will be."""
        self._ready.set()

    def submit(self, offset: int, command: Command, customer: str = "") -> None:
        """Work on a command. A sweep replaces an older one of its kind: the run that wanted that one has gone on."""
        if not isinstance(command, LookUpBalance):
            self._replace(type(command), offset)
        task = asyncio.create_task(self._work_off(offset, command, CustomerId(customer)))
        self._tasks[offset] = task
        task.add_done_callback(lambda _: self._tasks.pop(offset, None))

    async def stop(self) -> None:
        """Leave unfinished commands to whoever owns the org next. Bounded."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    def _replace(self, kind: type[Command], offset: int) -> None:
        older = self._sweeps.get(kind)
        self._sweeps[kind] = offset
        if older is not None and (task := self._tasks.get(older)) is not None:
            self._log.info("a newer command replaces this sweep", command=kind.__name__)
            task.cancel()
            self._done(older)

    async def _work_off(self, offset: int, command: Command, customer: CustomerId) -> None:
        await self._ready.wait()
        self._log.info("command", command=type(command).__name__, run=command.run)
        backoff_seconds = 1.0
        while True:
            try:
                await self._carry_out(command, customer)
            except Unreachable as error:
                self._log.warning(
                    "kafka did not take the answer to a command, repeating the command",
                    command=type(command).__name__,
                    run=command.run,
                    error=str(error),
                )
                await self._clock.sleep(backoff_seconds)
                backoff_seconds = min(2 * backoff_seconds, RETRY_MAX_SECONDS)
            else:
                self._done(offset)
                return

    async def _carry_out(self, command: Command, customer: CustomerId) -> None:
        try:
            await self._attempt(command, customer)
        except Unreachable:
            raise
        except Exception as error:
            # Ours to correct, and repeating it would end the same way: the run is told and decides.
            self._log.exception("a command failed, its run is told so", command=type(command).__name__, run=command.run)
            await self._answer_failed(command, customer, f"{type(error).__name__}: {error}")

    async def _attempt(self, command: Command, customer: CustomerId) -> None:
        parts = self._producer
        match command:
            case SweepOrders(run, attempt) if parts.orders is not None:
                async with told(self._publisher, self._producer.org, run, attempt, self._clock) as on_progress:
                    walked = await parts.orders.walk(run, attempt, on_progress)
                counts = (walked.orders, walked.customers, walked.unreadable, walked.calls)
                await self._ended(
                    OrdersSweepEnded(run, attempt, walked.complete, *counts, walked.reason, walked.errors)
                )
            case SweepBalances(run, attempt) if parts.balances is not None:
                await self._ended(await parts.balances.sweep(run, attempt))
            case LookUpBalance(run) if parts.look_up is not None:
                async with self._look_ups:
                    await parts.look_up.look_up(run, customer)
            case SweepOrders():
                await self._answer_failed(command, customer, "no point of sale is configured for this org")
            case _:
                await self._answer_failed(command, customer, "no loyalty provider is configured for this org")

    async def _answer_failed(self, command: Command, customer: CustomerId, reason: str) -> None:
        reason = redacted(reason)
        match command:
            case SweepOrders(run, attempt):
                await self._ended(OrdersSweepEnded(run, attempt, False, 0, 0, 0, 0, reason))
            case SweepBalances(run, attempt):
                await self._ended(BalanceSweepEnded(run, attempt, False, 0, 0, reason))
            case LookUpBalance(run):
                org, at = self._producer.org, self._now()
                body = LookUpFailed(run, at, reason)
                value = FACTS.encode(body, org=org, at=at, source=ALPINE_IQ, customer=customer)
                await self._publisher.publish([Output(topics.FACTS.name, account_key(org, customer), value)])

    async def _ended(self, body: OrdersSweepEnded | BalanceSweepEnded) -> None:
        org = self._producer.org
        value = RUNS.encode(body, org=org, at=self._now(), source=SOURCE)
        await self._publisher.publish([Output(topics.RUNS.name, org.encode(), value)])

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)


async def supervised(what: str, org: str, run: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run something for ever: when it fails, log it, wait longer and longer up to a minute, begin again."""
    wait_seconds = 1.0
    while True:
        began = clock.monotonic()
        try:
            await run()
        except Exception as error:
            if clock.monotonic() - began > 2 * RETRY_MAX_SECONDS:
                wait_seconds = 1.0
            expected = isinstance(error, Unreachable)
            log.warning(
                f"{what} failed, beginning again",
                org=org,
                error=str(error),
                seconds=wait_seconds,
                exc_info=not expected,
            )
        await clock.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, 2 * RETRY_MAX_SECONDS)
