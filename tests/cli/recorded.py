"""Entry points that remember what they were asked, and answer what a test told them to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stream.ops.progress import Progress
from stream.settings import Configuration
from tests.cli.recorded_desk import RecordedDesk


@dataclass
class Demo:
    ok: bool = True

    def answer(self) -> Mapping[str, object]:
        return {"totalCustomers": 1641, "phases": {"orders": 1.5}}


@dataclass
class Recorded(RecordedDesk):
    answer: object = None
    error: BaseException | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    async def demo(self, *, seed: int, hostile: bool, keep: bool, once: bool, progress: Progress) -> Demo:
        self._asked("demo", seed=seed, hostile=hostile, keep=keep, once=once)
        progress("orders", 2689, 2689)
        return self.answer if isinstance(self.answer, Demo) else Demo()

    async def up(self, configuration: Configuration, *, progress: Progress) -> None:
        self._asked("up")

    async def poll(self, configuration: Configuration) -> None:
        self._asked("poll")

    async def worker(self, configuration: Configuration, *, name: str) -> None:
        self._asked("worker", name=name)

    async def sink_firestore(self, configuration: Configuration) -> None:
        self._asked("sink firestore")

    async def sink_notify(self, configuration: Configuration, *, name: str) -> None:
        self._asked("sink notify", name=name)

    async def notify_test(self, configuration: Configuration, *, org: str) -> Sequence[object]:
        self._asked("notify test", org=org)
        return self.answer if isinstance(self.answer, list) else []

    async def notify_resend(
        self, configuration: Configuration, *, org: str, message: str, channel: str | None
    ) -> Sequence[object]:
        self._asked("notify resend", org=org, message=message, channel=channel)
        return [self.answer]

    async def notify_list(
        self, configuration: Configuration, *, org: str, undelivered: bool, limit: int
    ) -> Sequence[object]:
        self._asked("notify list", org=org, undelivered=undelivered, limit=limit)
        return self.answer if isinstance(self.answer, list) else []

    async def web(self, configuration: Configuration) -> None:
        self._asked("web")

    async def sync(
        self,
        configuration: Configuration,
        *,
        org: str,
        customer: str | None,
        wait: bool,
        key: str | None,
        progress: Progress,
        by: str,
    ) -> object:
        self._asked("sync", org=org, customer=customer, wait=wait, key=key, by=by)
        return self.answer

    async def backfill(self, configuration: Configuration, *, org: str, progress: Progress, by: str) -> object:
        self._asked("backfill", org=org, by=by)
        return self.answer

    async def status(self, configuration: Configuration) -> object:
        self._asked("status", kafka=configuration.kafka.bootstrap)
        return self.answer

    async def dead_letters(self, configuration: Configuration, *, org: str | None, limit: int) -> Sequence[object]:
        self._asked("dead-letters list", org=org, limit=limit)
        return [self.answer]

    async def dead_letter(self, configuration: Configuration, *, partition: int, offset: int) -> object | None:
        self._asked("dead-letters show", partition=partition, offset=offset)
        return self.answer

    async def customer(self, configuration: Configuration, *, org: str, customer: str) -> object | None:
        self._asked("customer show", org=org, customer=customer)
        return self.answer

    async def profiles(self, configuration: Configuration, *, org: str) -> AsyncIterator[Mapping[str, object]]:
        self._asked("profiles export", org=org)
        for number in (1, 2):
            yield {"customerId": str(number), "pointsLastCalculated": datetime(2026, 1, 30, 20, 21, 58, 3000, UTC)}

    def _asked(self, command: str, **options: object) -> None:
        self.asked.append((command, options))
        if self.error is not None:
            raise self.error
