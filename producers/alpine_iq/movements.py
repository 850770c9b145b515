"""Redemptions, adjustments and expiry of all contacts, read beside the balances that they moved.

Once a day the whole history is read, in between only what is new: contacts take each movement once, however often
it is listed. The whole brings what a contact's new phone or address, or a vendor that books late, left out.
Whether a balance may be judged without movements is the org's setting `compare`: under `raw` they only explain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

import structlog

from producers.alpine_iq import translate
from producers.alpine_iq.client import AlpineIQClient
from producers.alpine_iq.slices import Slice, Slices
from producers.cursors import Cursors
from producers.identity import Identities
from producers.redaction import redacted
from stream.contracts.cursors import Cursor
from stream.contracts.names import Identity, Millis, OrgId
from stream.contracts.settings import Compare
from stream.engine.ports import Publisher
from stream.errors import Unreadable, VendorError

log = structlog.get_logger(__name__)

CURSOR = "alpine_iq-movements"
DAY_MS = 86_400_000
OVERLAP_MS = 3 * DAY_MS
"""Points land overnight at the latest, merges of contacts within three days."""
WHOLE_EVERY_MS = 20 * 3_600_000
"""So that each daily run reads the whole history, also when it starts somewhat early."""
MARGIN_MS = 300_000
"""Asked for beyond now: the vendor's clock may be ahead."""
LOT = 5_000
UNREADABLE_FORM = 10
"""So many rows of a list of which none was ever read: not their fault, but ours. Fewer may all be odd ones."""
UNREADABLE_TOLD = 20
"""Dead letters of a list of which nothing can be read: they show its form, and there is nothing in the others."""
NOT_UNDERSTOOD = "Alpine IQ lists movements of points in a form of which nothing is understood"
_WHOLE_AT = "whole_at"


@dataclass(frozen=True)
class Window:
    """Times in UTC ms: what moved at `start` or later, as it was known at `now`. `whole_at`: the last whole reading."""

    start: Millis
    now: Millis
    whole_at: Millis


@dataclass
class Listed:
    """What the vendor listed: `rows` with their ids, `unreadable` ones with the reason.

    `understood` False: there is a list of many rows of which none was ever read.
    """

    rows: list[tuple[str, translate.Moved]]
    unreadable: dict[bytes, str]
    understood: bool


class Movements:
    """Movements of one org. `compare`: the org's setting, as far as this process knows it now.

    `failures` counts readings that failed, for metrics.
    """

    def __init__(
        self,
        org: OrgId,
        client: AlpineIQClient,
        identities: Identities,
        publisher: Publisher,
        cursors: Cursors,
        *,
        compare: Callable[[], Compare],
        history_days: int = 400,
    ) -> None:
        self.failures = 0
        self._org = org
        self._client = client
        self._identities = identities
        self._publisher = publisher
        self._cursors = cursors
        self._compare = compare
        self._history_ms = history_days * DAY_MS
        self._forms_known: set[str] = set()
        self._slices = {
            translate.ADJUSTMENT: Slices(client.adjustments),
            translate.REDEMPTION: Slices(client.redemptions),
        }

    @property
    def decide(self) -> bool:
        """Whether verdicts rest on movements."""
        return self._compare() is Compare.EXPECTED

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Reading]:
        """Begin to read; what has not been read when the block ends is given up."""
        reading = asyncio.create_task(self._read())
        try:
            yield Reading(self, reading)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def of(self, contact: str, identity: Identity) -> None:
        """Publish one contact's newest movements under one identity: before its balance is, under the same.

        Raises `VendorError`, and `Unreachable` when Kafka does not take them.
        """
        window, listed = await self._read()
        if not listed.understood:
            raise Unreadable(NOT_UNDERSTOOD)
        rows = [(known, row) for known, row in listed.rows if row.contact == contact]
        await self._publish(rows, {contact: (identity,)}, window.now)

    async def publish(self, window: Window, listed: Listed, identities_of: Mapping[str, Iterable[Identity]]) -> None:
        """Publish what was read and remember how far that was. Raises `Unreadable` when nothing was understood."""
        letters = list(listed.unreadable.items())
        told = letters if listed.understood else letters[:UNREADABLE_TOLD]
        if told:
            await self._publisher.publish(translate.dead_letter(raw, why, window.now, self._org) for raw, why in told)
        if not listed.understood:
            raise Unreadable(NOT_UNDERSTOOD)
        await self._publish(listed.rows, identities_of, window.now)
        cursor = Cursor(window.now, {_WHOLE_AT: str(window.whole_at)})
        await self._cursors.save(self._org, CURSOR, cursor)
        counts = {"movements": len(listed.rows), "unreadable": len(listed.unreadable)}
        log.info("movements read", org=self._org, since=window.start, **counts)

    def failed(self, error: VendorError) -> str | None:
        """Count it. Why the balances must not be judged; None when they may be."""
        self.failures += 1
        reason = f"the movements of points could not be read: {redacted(str(error))}"
        log.warning("movements not read", org=self._org, failures=self.failures, decide=self.decide, reason=reason)
        return f"{reason} (compare is expected: no verdict without them)" if self.decide else None

    async def _read(self) -> tuple[Window, Listed]:
        window = self._window(await self._cursors.load(self._org, CURSOR))
        return window, await self._list(window)

    def _window(self, cursor: Cursor | None) -> Window:
        now = Millis(int(self._client.http.vendor_seconds * 1000))
        earliest = now - self._history_ms
        whole_at = _whole_at(cursor)
        if cursor is None or whole_at is None or not 0 <= now - whole_at < WHOLE_EVERY_MS:
            return Window(Millis(earliest), now, now)
        start = max(min(cursor.through, now) - OVERLAP_MS, earliest)
        return Window(Millis(start), now, whole_at)

    async def _list(self, window: Window) -> Listed:
        end = Millis(window.now + MARGIN_MS)
        answers = await asyncio.gather(
            *(slices.read(window.start, end) for slices in self._slices.values()), return_exceptions=True
        )
        rows: list[translate.Moved] = []
        unreadable: dict[bytes, str] = {}
        understood = True
        for kind, answer in zip(self._slices, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            readable, others = _understood(answer, kind)
            if readable:
                self._forms_known.add(kind)  # from now on a row that cannot be read is that row's fault
            understood &= kind in self._forms_known or len(others) < UNREADABLE_FORM
            rows += readable
            unreadable |= others
        rows.sort(key=lambda row: row.moved_at)  # accounts add up the oldest first, when there are many
        return Listed(list(translate.numbered(rows)), unreadable, understood)

    async def _publish(
        self,
        rows: Iterable[tuple[str, translate.Moved]],
        identities_of: Mapping[str, Iterable[Identity]],
        at: Millis,
    ) -> None:
        outputs = (
            output
            for known, row in rows
            for output in translate.movement(known, row, self._held(row.contact, identities_of), at, self._org)
        )
        while lot := list(islice(outputs, LOT)):
            await self._publisher.publish(lot)

    def _held(self, contact: str, identities_of: Mapping[str, Iterable[Identity]]) -> Iterable[Identity]:
        """Those of its row; of a contact that the vendor does not list as a member at least the code."""
        return identities_of.get(contact) or self._identities.of(contact, (), None)


class Reading:
    """A reading under way. `unreadable`: rows that became a dead letter when it was published."""

    def __init__(self, movements: Movements, task: asyncio.Task[tuple[Window, Listed]]) -> None:
        self.unreadable = 0
        self._movements = movements
        self._task = task

    async def publish(self, identities_of: Mapping[str, Iterable[Identity]]) -> str | None:
        """Publish what was read under the identities of each contact. Why the balances must not be judged; None when
        they may be. Raises `Unreachable` when Kafka does not take the records."""
        try:
            window, listed = await self._task
            self.unreadable = len(listed.unreadable)
            await self._movements.publish(window, listed, identities_of)
        except VendorError as error:
            return self._movements.failed(error)
        return None


def _understood(slices: Iterable[Slice], kind: str) -> tuple[list[translate.Moved], dict[bytes, str]]:
    readable, unreadable = [], {}
    for start, end, rows in slices:
        for raw in rows:
            try:
                row = translate.moved(raw, kind)
            except Unreadable as error:
                unreadable[raw] = str(error)
                continue
            if start <= row.moved_at < end:
                readable.append(row)
    return readable, unreadable


def _whole_at(cursor: Cursor | None) -> Millis | None:
    text = "" if cursor is None else cursor.detail.get(_WHOLE_AT, "")
    return Millis(int(text)) if text.isdecimal() else None
