"""`cursors`: how far a producer has got. Key `org:source`, compacted."""

from __future__ import annotations

import msgspec

from stream.contracts.envelope import Vocabulary


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """`through`: everything observed before this UTC ms has been published and acknowledged.

    `detail`: resumable position inside a long walk (e.g. finished months of a backfill), free text → text.
    """

    through: int
    detail: dict[str, str] = msgspec.field(default_factory=dict)


CURSORS = Vocabulary(Cursor)
