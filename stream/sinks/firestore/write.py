"""One write to a document, and what is known of the document it goes to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from stream.engine.ports import Input
from stream.sinks.document import VOLATILE, Document
from stream.sinks.firestore.encode import FieldValue, UpdateTime

Version = tuple[int, int]
"""(epoch, version); the higher one wins."""
NEVER: Version = (-1, -1)


@dataclass(frozen=True)
class DocumentWrite:
    """Merge `fields` into the document at `path`.

    `owned`: the update mask; what it names and `fields` lack is deleted, all else is untouched.
    `version`: lower than the stored one is refused; None for documents that are written once and never change.
    `content`: equal when nothing but times and versions differ; None: always written.
    `forced`: written even if the content is the stored one, see `superseded_by`.
    """

    path: str
    fields: Mapping[str, FieldValue]
    owned: Sequence[str]
    version: Version | None
    content: int | None
    origin: Input
    forced: bool = False

    def superseded_by(self, newer: DocumentWrite) -> DocumentWrite:
        """The one write in place of these two.

        The other content between may be on its way to the document by the hand of a predecessor that lost this
        partition. Were the newer one skipped as unchanged, that late write would find the document as it expects
        it, and stay. Written, the newer one makes the late one fail.
        """
        if self.content is None or newer.content is None:  # parts of one document: the later fields win
            merged = {**self.fields, **newer.fields}
            return replace(newer, fields=merged, owned=tuple(dict.fromkeys((*self.owned, *newer.owned))))
        return replace(newer, forced=self.forced or self.content != newer.content)


def content_of(document: Document, owned: Sequence[str]) -> int:
    """A number that is equal for documents that differ in times and versions only. Of this process alone."""
    return hash(tuple(document.get(name) for name in owned if name not in VOLATILE))


class Known(NamedTuple):
    """A document as last seen. `update_time` None: it is not there."""

    version: Version
    content: int | None
    update_time: UpdateTime | None


class KnownDocuments:
    """The documents seen last, at most `limit`; the others are read again when they are written."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Known] = OrderedDict()

    def get(self, path: str) -> Known | None:
        """What is known of a document."""
        known = self._known.get(path)
        if known is not None:
            self._known.move_to_end(path)
        return known

    def put(self, path: str, known: Known) -> None:
        """Remember a document."""
        self._known[path] = known
        self._known.move_to_end(path)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)

    def forget(self, path: str) -> None:
        """It is not as we thought."""
        self._known.pop(path, None)

    def forget_all(self) -> None:
        """Others may have written."""
        self._known.clear()
