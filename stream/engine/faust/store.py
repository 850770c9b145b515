"""State in RocksDB: one database per owned partition, the changelog offset written with the data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from faust.stores import rocksdb
from faust.types.tuples import TP
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

log = structlog.get_logger(__name__)

OFFSET_KEY = rocksdb.Store.offset_key
WRITE_BUFFER_BYTES = 8 << 20
WRITE_BUFFERS = 3
CACHE_BYTES = 16 << 20
FILE_BYTES = 16 << 20
BLOOM_BITS = 10


def open_database(path: Path) -> Rdict:
    """A partition's database. Small buffers: a worker has one per partition and agent.

    There is no write-ahead log: the changelog is the durable copy, and the changelog offset lies in the same batches.
    What a crash takes from memory is read again from there.
    """
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(WRITE_BUFFERS)
    options.set_target_file_size_base(FILE_BYTES)
    # Most look-ups are for the line of a new order: filters answer those, in memory and in files.
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_memtable_whole_key_filtering(True)
    table = BlockBasedOptions()
    table.set_bloom_filter(BLOOM_BITS, block_based=False)
    table.set_block_cache(Cache(CACHE_BYTES))
    options.set_block_based_table_factory(table)
    database = Rdict(str(path), options=options)
    without_log = WriteOptions()
    without_log.disable_wal = True  # type: ignore[method-assign,assignment]  # its types say method, it is a property
    database.set_write_options(without_log)
    return database


class Databases(rocksdb.RocksDBOptions):  # type: ignore[misc]  # Faust is not typed
    """How Faust's store opens a database."""

    def open(self, path: Path, *, read_only: bool = False) -> Rdict:
        """See `open_database`; nobody opens one to read only. A damaged one is replaced by an empty one, which recovery
        fills: the changelog has all of it, and a worker must not fail at it again and again."""
        try:
            return open_database(path)
        except Exception as error:
            if "Corruption" not in str(error):  # such as a lock: somebody else has it open
                raise
            log.warning("local state is damaged: recovering it", path=str(path), error=str(error))
            shutil.rmtree(path)
            return open_database(path)


class RocksStore:
    """`Store` over one open database. Holds no handle longer than its owner wants: see `close`."""

    def __init__(self, database: Rdict) -> None:
        self._db: Any = database

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._db.get(key)  # type: ignore[no-any-return]

    def scan(self, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys with that prefix in byte order, only those beyond `after` when given."""
        items = cast(Iterator[tuple[bytes, bytes]], self._db.items(from_key=after or prefix))
        for key, value in items:
            if not key.startswith(prefix):
                return
            if key != after:
                yield key, value

    def write(self, changes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Apply changes and the changelog offset in one batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(OFFSET_KEY, b"%d" % changelog_offset)
        self._db.write(batch)

    def close(self) -> None:
        """Let go of the database: a handle kept anywhere would block its reopening after a rebalance."""
        self._db = _Closed()


class _Closed:
    """What is left of a database that was let go of."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the partition's store has been closed")


class PartitionStores(rocksdb.Store):  # type: ignore[misc]  # Faust is not typed
    """Faust's table store, closing databases explicitly and recovering whole batches."""

    def open_partition(self, partition: int) -> RocksStore:
        """The store of an owned partition."""
        return RocksStore(self._db_for_partition(partition))

    def apply_batch(self, tp: TP, records: list[Any], offset: int) -> None:
        """Apply a batch of changelog records, up to and including `offset`."""
        changes = {record.key: record.value for record in records}
        self.open_partition(tp.partition).write(changes, offset)

    def revoke_partitions(self, table: Any, tps: set[TP]) -> None:
        """Close the databases of partitions that are no longer ours."""
        for tp in tps:
            if tp.topic in table.changelog_topic.topics:
                self.close_partition(tp.partition)

    def close_partition(self, partition: int) -> None:
        """Flush and close one database, if it is open."""
        database = self._dbs.pop(partition, None)
        if database is not None:
            database.close()

    def wipe_partition(self, partition: int) -> None:
        """Forget what is stored locally: it is recovered from the changelog."""
        self.close_partition(partition)
        Rdict.destroy(str(self.partition_path(partition)))

    async def stop(self) -> None:
        """Close everything."""
        for partition in list(self._dbs):
            self.close_partition(partition)


class UnitTable(faust.Table):  # type: ignore[misc]  # Faust is not typed
    """A Faust table that is only assigned and recovered by Faust: units write it (`stream.engine.unit`)."""

    def _new_store(self) -> PartitionStores:
        stores = PartitionStores(
            "rocksdb://",
            self.app,
            self,
            table_name=self.name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            driver="rocksdict",
        )
        stores.rocksdb_options = Databases()
        return stores

    def apply_changelog_batch(self, batch: list[Any]) -> None:
        """Recovery: each event's value is a list of changelog records.

        Faust would log a failure here and go on, and it hands a record of a partition that has just been revoked
        to whichever table came before.
        """
        mine = self.changelog_topic.get_topic_name()
        try:
            for message in (event.message for event in batch):
                if message.topic == mine:
                    self.data.apply_batch(message.tp, message.value, message.offset)
        except Exception:
            log.exception("state could not be recovered: leaving, so that nothing is built on half of it")
            os._exit(1)
