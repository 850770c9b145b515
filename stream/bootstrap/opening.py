"""Who may come in: the local key, the refusal to serve others without any access, and one-time addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import urllib.error
import urllib.request
from pathlib import Path

from stream.bootstrap.places import DataFolder
from stream.contracts.access import ACCESS, Account, ApiKey
from stream.contracts.topics import ACCESS as TOPIC
from stream.errors import BadRecord, ConfigurationError, Unreachable
from stream.settings import WebSettings
from stream.sinks import reading
from stream.web.access.keys import read_local_key

WAIT_MS = 250
ASK_SECONDS = 5.0
SHORTEST_KEY = 32


def local_key_path(folder: DataFolder) -> Path:
    """The file with the key of whoever may read the data folder."""
    return folder.root / "web.key"


def configured_key(web: WebSettings) -> str | None:
    """`web.key`. Raises ConfigurationError for one that could be guessed."""
    if web.key is None:
        return None
    key = web.key.get_secret_value()
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(f"web.key has fewer than {SHORTEST_KEY} characters: make one of random ones.")
    return key


async def require_access(web: WebSettings, bootstrap: str, prefix: str) -> None:
    """Refuse to answer other machines while nobody has access: the first one to come would find a log-in that nobody
    can use, or worse, somebody would open it in a hurry. Raises ConfigurationError."""
    if _is_loopback(web.host) or web.key is not None or await anybody(bootstrap, prefix):
        return
    raise ConfigurationError(
        f"web.host is {web.host}, which other machines reach, but nobody has access yet. Create a key or a user first "
        "(`loyalty keys create`, `loyalty users add`), set web.key, or set web.host to 127.0.0.1."
    )


async def anybody(bootstrap: str, prefix: str) -> bool:
    """Whether the log knows any key or account that has not ended. Raises Unreachable when no broker answers."""
    consumer = reading.new_consumer(bootstrap)
    await reading.start_consumer(consumer, bootstrap)
    try:
        places = (await reading.describe_cluster(bootstrap)).places(prefix, [TOPIC])
        consumer.assign([reading.kafka_partition(prefix, place) for place in places])
        ends = await reading.ends_of(consumer, prefix, places)
        standing: dict[bytes, bool] = {}
        positions: reading.Positions = {}
        while any(positions.get(place, 0) < end for place, end in ends.items()):
            batch = await reading.next_batch(consumer, prefix, positions, max_records=1000, wait_ms=WAIT_MS)
            positions |= batch.positions
            standing |= {record.key or b"": _stands(record.value) for record in batch.records}
        return any(standing.values())
    finally:
        await consumer.stop()


async def one_time_address(folder: DataFolder) -> str | None:
    """An address that opens the dashboard once, within the hour, for whoever runs this; None when the web role does
    not answer."""
    address = folder.endpoints().get("web")
    if address is None:
        return None
    try:
        key = read_local_key(local_key_path(folder))
        return address + await asyncio.to_thread(_link, address, key)
    except OSError:
        return None


def ask_web(folder: DataFolder, path: str) -> object:
    """What the web role that runs over this folder answers, asked with the local key. Raises Unreachable."""
    address = folder.endpoints().get("web")
    try:
        if address is None:
            raise OSError("it does not run")
        request = urllib.request.Request(address + path, headers=_bearer(read_local_key(local_key_path(folder))))
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:
            found: object = json.load(answer)
            return found
    except OSError as error:
        raise Unreachable(f"the web role does not answer ({error}): start `loyalty web` or `loyalty up`.") from error


def _link(address: str, key: str) -> str:
    request = urllib.request.Request(f"{address}/api/v1/session/links", method="POST", headers=_bearer(key))
    with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:
        path: str = json.load(answer)["path"]
        return path


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _stands(value: bytes | None) -> bool:
    if value is None:
        return False
    try:
        body = ACCESS.decode(value).data
    except BadRecord:
        return False
    match body:
        case ApiKey():
            return body.revoked_at is None
        case Account():
            return body.disabled_at is None
    return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
