"""The local store: a copy of its changelog, which is never worth a worker that cannot start."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.engine.faust.store import OFFSET_KEY, Databases, RocksStore


def written(path: Path) -> RocksStore:
    """A store with something in it."""
    store = RocksStore(Databases().open(path))
    store.write({b"key": b"value" * 1000}, 7)
    return store


def close(store: RocksStore) -> None:
    """Flush it, and let go of it."""
    store._db.close()
    store.close()


@pytest.mark.parametrize("file", ["MANIFEST*", "CURRENT", "*.sst"])
def test_a_damaged_store_is_emptied_and_recovered(tmp_path: Path, file: str) -> None:
    close(written(tmp_path / "0.db"))
    (damaged,) = (tmp_path / "0.db").glob(file)
    damaged.write_bytes(b"\xff" * (damaged.stat().st_size // 2))

    store = RocksStore(Databases().open(tmp_path / "0.db"))
    assert store.get(OFFSET_KEY) is None, "recovery begins at the beginning"
    assert store.get(b"key") is None
    close(store)
    close(written(tmp_path / "0.db"))


def test_a_store_that_somebody_else_has_open_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    first = written(tmp_path / "0.db")
    with pytest.raises(Exception, match=r"[Ll]ock"):
        Databases().open(tmp_path / "0.db")
    assert first.get(OFFSET_KEY) == b"7"
    close(first)
