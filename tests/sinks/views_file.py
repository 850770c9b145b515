"""A views file filled by hand, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stream.engine.ports import Input
from stream.sinks.reading import Anchor, Batch, Place
from stream.sinks.views.apply import apply_batch
from stream.sinks.views.file import open_for_writing
from stream.sinks.views.read import Views


def views_of(path: Path, *batches: Iterable[Input]) -> Views:
    """The views after these batches were applied."""
    connection = open_for_writing(path)
    try:
        for batch in batches:
            records = list(batch)
            last = {Place(record.topic, record.partition): record.offset for record in records}
            anchors = {place: Anchor(offset, 0) for place, offset in last.items()}
            apply_batch(connection, Batch(records, {place: offset + 1 for place, offset in last.items()}, anchors))
    finally:
        connection.close()
    return Views(path)
