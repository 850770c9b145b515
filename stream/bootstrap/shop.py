"""A simulated shop with the whole system running against it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from stream.bootstrap.past_trade import PastTrade
from stream.bootstrap.places import DataFolder
from stream.bootstrap.serving import http, kafka
from stream.bootstrap.up import Tree, tree
from stream.configuration import load
from stream.ops.progress import Progress
from stream.sandbox.chat import Chat
from stream.sandbox.failures import Conditions
from stream.sandbox.firestore import HOW_TO_GET_IT, find_emulator
from stream.sandbox.serve import Sandbox, running
from stream.sandbox.world.model import World
from stream.settings import Configuration

ORG = "brand_example"
PROJECT = "demo-loyalty"
DATA_DIR_VARIABLE = "LOYALTY_DATA_DIR"


@dataclass(frozen=True)
class Shop:
    """Simulated vendors with the whole system running against them. `file`: its configuration.

    `firestore`: `host:port` of the emulator; None where there is none.
    """

    sandbox: Sandbox
    configuration: Configuration
    file: Path
    tree: Tree
    firestore: str | None


@contextlib.asynccontextmanager
async def shop(
    folder: DataFolder,
    world: World,
    progress: Progress,
    *,
    alleaves: Conditions | None = None,
    alpine_iq: Conditions | None = None,
    with_firestore: bool = True,
    past: PastTrade | None = None,
    told: Callable[[list[str]], None] | None = None,
) -> AsyncIterator[Shop]:
    """Vendors, Firestore emulator, Kafka and all roles while the block runs. Conditions: latency and failures.

    `past`: trade that is made again before anybody looks. `told`: gets the lines of each message to a chat, where the
    shop's people are told of alerts; None: they are told nothing.
    """
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running(world, alleaves=alleaves, alpine_iq=alpine_iq))
        if past is not None:
            past.again(sandbox.trade)
        webhook = await stack.enter_async_context(_chat(told))
        _write_configuration(folder, sandbox, firestore=False, webhook=webhook)
        # Where this shop's data is, says the shop: LOYALTY_DATA_DIR is the folder of all of them.
        here = {DATA_DIR_VARIABLE: str(folder.root)}
        settings = load(_file(folder), os.environ | here).kafka
        async with asyncio.TaskGroup() as starting:  # both are Java, and slow to start
            broker = starting.create_task(stack.enter_async_context(kafka(settings, folder, progress)))
            emulator = starting.create_task(stack.enter_async_context(_firestore(folder, progress, with_firestore)))
        firestore = emulator.result()
        _write_configuration(folder, sandbox, firestore=firestore is not None, webhook=webhook)
        configuration = load(_file(folder), os.environ | here)
        environment = {"LOYALTY_CONFIG": str(_file(folder)), **here}
        if firestore is not None:
            environment["FIRESTORE_EMULATOR_HOST"] = firestore
        tree_ = await stack.enter_async_context(tree(configuration, broker.result(), environment, progress))
        yield Shop(sandbox, configuration, _file(folder), tree_, firestore)


@contextlib.asynccontextmanager
async def _chat(told: Callable[[list[str]], None] | None) -> AsyncIterator[str | None]:
    """The address to send messages to; None where nobody listens."""
    if told is None:
        yield None
        return
    chat = Chat(told)
    async with http(chat.app, "127.0.0.1", 0) as root:
        yield chat.webhook(root)


@contextlib.asynccontextmanager
async def _firestore(folder: DataFolder, progress: Progress, wanted: bool) -> AsyncIterator[str | None]:
    """The address of a Firestore emulator; None where there is none (said once)."""
    emulator = await asyncio.to_thread(find_emulator, folder.root / "firestore") if wanted else None
    if emulator is None:
        if wanted:
            progress.say(f"{HOW_TO_GET_IT}. The demo goes on without the export.")
        yield None
        return
    progress("starting the Firestore emulator", 0, 1)
    async with emulator:
        progress("starting the Firestore emulator", 1, 1)
        yield emulator.host


def _file(folder: DataFolder) -> Path:
    return folder.root / "loyalty.toml"


def _write_configuration(folder: DataFolder, sandbox: Sandbox, *, firestore: bool, webhook: str | None) -> None:
    """The file that the roles read: the same as for real vendors, with the sandbox's addresses."""
    about = sandbox.as_dict()
    secrets = folder.root / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    shop, provider = sandbox.alleaves_credentials, sandbox.alpine_credentials
    given = {"password": shop.password, "pin": shop.pin, "api_key": provider.api_key, "discord": webhook or ""}
    for name, secret in given.items():
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
    world = about["world"]
    assert isinstance(world, dict)
    equity = world["equity"]
    text = _TOML.format(
        root=folder.root,
        firestore=f'[firestore]\nproject = "{PROJECT}"\n' if firestore else "",
        org=ORG,
        alleaves=sandbox.alleaves_url,
        username=shop.username,
        alpine=sandbox.alpine_url,
        uid=provider.uid,
        equity_field=equity["field"],
        equity_values=_listed(equity["values"]),
        equity_customers=_listed(equity["customers"]),
        notify=_NOTIFY if webhook is not None else "",
    )
    _file(folder).write_text(text)


def _listed(values: list[object]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


_TOML = """# Written by `loyalty demo`: the simulated vendors' addresses.
data_dir = "{root}"
log_format = "json"

[web]
port = 0

{firestore}
[[org]]
id = "{org}"
mode = "live"

[org.alleaves]
base_url = "{alleaves}"
username = "{username}"
password = "file:secrets/password"
pin = "file:secrets/pin"

[org.alpine_iq]
base_url = "{alpine}"
uid = "{uid}"
api_key = "file:secrets/api_key"

[org.equity]
field = "{equity_field}"
values = {equity_values}
customers = {equity_customers}
{notify}"""
_NOTIFY = """
[[org.notify.discord]]
url = "file:secrets/discord"
"""
