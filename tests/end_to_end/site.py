"""`loyalty up` for three orgs, against two HTTP servers that speak the vendors' APIs, a Kafka and a Firestore."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from google.cloud.firestore import Client

from stream.sinks.document import json_ready
from stream.sinks.views.read import Views
from tests.end_to_end.programs import LOYALTY, Ended, Program, eventually, loyalty

LIVE = "shop"
WATCHED = "watched"
LOCKED = "locked"
FOREIGN = {"displayName": "Ada", "points": 7, "favourites": {"strain": "none"}, "visits": [1, 2]}
"""What another system has written into a customer's document; `points` is a field of ours."""

TOML = """
data_dir = "{data}"
[kafka]
bootstrap = "{kafka}"
prefix = "{prefix}"
replication = 1
[firestore]
project = "{project}"
[web]
port = 0

[[org]]
id = "shop"
mode = "live"
equity = {equity}
[org.alleaves]
base_url = "{alleaves}"
username = "{username}"
password = "env:PASSWORD"
pin = "env:PIN"
poll_seconds = 1
[org.alpine_iq]
base_url = "{alpine}"
uid = "{uid}"
api_key = "env:API_KEY"

[[org]]
id = "watched"
brand_document = "brands/watched"
equity = {other_equity}
[org.alpine_iq]
base_url = "{other_alpine}"
uid = "{uid}"
api_key = "env:API_KEY"

[[org]]
id = "locked"
mode = "live"
equity = {equity}
[org.alleaves]
base_url = "{alleaves}"
username = "{username}"
password = "file:password"
[org.alpine_iq]
base_url = "{alpine}"
uid = "{uid}"
api_key = "env:API_KEY"
"""


class Vendors:
    """The simulated vendors in a process of their own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.program = Program(
            sys.executable, "-m", "stream.sandbox.serve", "--alleaves-latency", "0.1", *words, folder=folder
        )
        eventually(lambda: self.program.out.endswith("\n"), 30, lambda: self.program.err)
        self.about: dict[str, Any] = json.loads(self.program.out)

    def ask(self, vendor: str, path: str, body: object | None = None) -> Any:
        """The sandbox's own endpoints of `alleaves` or `alpine_iq`."""
        url = f"{self.about[vendor]['root']}/sandbox/{path}"
        answer = httpx.get(url) if body is None else httpx.post(url, json=body)
        return answer.raise_for_status().json()

    def oracle(self) -> Any:
        """`stats` and `customers` that must come out."""
        return self.ask("alleaves", "oracle", {})

    @property
    def equity(self) -> str:
        """`equity` of an org of theirs, as an inline table."""
        table = self.about["world"]["equity"]
        return _inline({name: [*map(str, v)] if isinstance(v, list) else v for name, v in table.items()})

    @property
    def calls(self) -> int:
        """How often Alleaves was called."""
        return int(self.ask("alleaves", "stats")["total"])


class Site:
    """The configuration, and `loyalty up` over it, started as often as a test needs."""

    def __init__(self, folder: Path, vendors: Vendors, others: Vendors, kafka: str, prefix: str, emulator: str) -> None:
        """`vendors`: of the orgs `shop` and `locked`; `others`: of `watched`."""
        self.folder = folder
        self.vendors = vendors
        self.others = others
        self.kafka = kafka
        self.prefix = prefix
        self.project = prefix.strip(".")
        shop, provider = vendors.about["alleaves"], vendors.about["alpine_iq"]
        self.environment = {
            "PASSWORD": shop["password"],
            "PIN": shop["pin"],
            "API_KEY": provider["api_key"],
            "FIRESTORE_EMULATOR_HOST": emulator,
        }
        values = {
            "data": folder / "data",
            "kafka": kafka,
            "prefix": prefix,
            "project": self.project,
            "alleaves": shop["base_url"],
            "username": shop["username"],
            "alpine": provider["base_url"],
            "uid": provider["uid"],
            "equity": vendors.equity,
            "other_alpine": others.about["alpine_iq"]["base_url"],
            "other_equity": others.equity,
        }
        folder.mkdir(parents=True)
        (folder / "loyalty.toml").write_text(TOML.format(**values))
        self.set_password("not the password")
        self.up: Program | None = None

    def set_password(self, password: str) -> None:
        """What the org `locked` logs in with at Alleaves."""
        (self.folder / "password").write_text(password)

    def start(self) -> Program:
        """`loyalty up`, until its web role answers."""
        self.up = Program(*LOYALTY, "up", folder=self.folder / "output", more=self.with_file)
        self.up.until(lambda: "web API: " in self.up.err if self.up else False)
        return self.up

    def run(self, *words: str, seconds: float = 60) -> Ended:
        """Another command, beside it."""
        return loyalty(*words, folder=self.folder, seconds=seconds, more=self.environment)

    @property
    def endpoints(self) -> dict[str, str]:
        """Addresses by role."""
        found: dict[str, str] = json.loads((self.folder / "data" / "endpoints.json").read_text())
        return found

    def get(self, path: str, **parameters: str) -> Any:
        """The web API, as whoever may read the data folder."""
        return self._asked(path, parameters).json()

    def page(self, path: str, **parameters: str) -> str:
        """The HTML of a page, likewise."""
        return self._asked(path, parameters).text

    def _asked(self, path: str, parameters: Mapping[str, str]) -> httpx.Response:
        key = (self.folder / "data" / "web.key").read_text()
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{self.endpoints['web']}{path}", params=parameters, headers=headers).raise_for_status()

    def call_tool(self, asked: Mapping[str, object]) -> Any:
        """The agent tool's answer, asked as MCP clients ask. `asked`: the tool's `name` and `arguments`."""
        key = (self.folder / "data" / "web.key").read_text()
        headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
        answer = httpx.post(f"{self.endpoints['web']}/mcp", json=call, headers=headers)
        return answer.raise_for_status().json()["result"]["structuredContent"]

    def runs(self, org: str) -> list[dict[str, Any]]:
        """An org's runs, newest first; none before it is known."""
        if org not in {each["id"] for each in self.get("/api/v1/orgs")["items"]}:
            return []
        found: list[dict[str, Any]] = self.get(f"/api/v1/orgs/{org}/runs")["items"]
        return found

    def outcome(self, run: str) -> str | None:
        """How a run ended; None before."""
        org = run.partition(":")[0]
        return next((each["outcome"] for each in self.runs(org) if each["id"] == run), None)

    @property
    def calls(self) -> int:
        """How often both points of sale were called."""
        return self.vendors.calls + self.others.calls

    def documents(self) -> dict[str, dict[str, Any]]:
        """Every customer document in Firestore."""
        client = Client(project=self.project)
        found = {document.id: document.to_dict() or {} for document in client.collection("customers").stream()}
        client.close()
        return found

    def profiles(self, org: str) -> dict[str, dict[str, Any]]:
        """Every customer document in the views, by customer."""
        views = Views(self.folder / "data" / "views.db")
        found = {str(document["customerId"]): json_ready(document) for document in views.profiles(org)}
        views.close()
        return found

    def vendors_of(self, org: str) -> Vendors:
        """Whom the org buys from."""
        return self.others if org == WATCHED else self.vendors

    def differences(self, org: str) -> list[str]:
        """How the org's profiles differ from what the oracle says, now."""
        return differences(self.vendors_of(org).oracle()["customers"], self.profiles(org))

    def standing(self, org: str) -> dict[str, Any]:
        """The org in the API's status."""
        found: dict[str, Any] = self.get("/api/v1/status")["orgs"][org]
        return found

    def sync(self, org: str) -> Program:
        """`loyalty sync --wait`, under way."""
        words = ("sync", "--org", org, "--wait", "--json")
        return Program(*LOYALTY, *words, folder=self.folder / "output", more=self.with_file)

    @property
    def with_file(self) -> dict[str, str]:
        """The environment for programs that run in another folder."""
        return self.environment | {"LOYALTY_CONFIG": str(self.folder / "loyalty.toml")}

    def records(self, topic: str) -> list[ConsumerRecord]:
        """A topic for a subscriber that reads committed records."""
        return asyncio.run(read_all(self.endpoints["kafka"], f"{self.prefix}{topic}"))

    def alerts(self, org: str) -> list[ConsumerRecord]:
        """Everything on the alerts topic about an org."""
        return [record for record in self.records("alerts") if json.loads(record.value)["org"] == org]

    def kinds(self, org: str) -> list[str]:
        """What kinds of alerts there are about an org."""
        return [json.loads(record.value)["kind"] for record in self.alerts(org)]

    def kill_poller_while_it_walks(self, times: int, dice: random.Random) -> None:
        """SIGKILL, each time after another few calls to the vendors."""
        assert self.up is not None
        for _ in range(times):
            enough = self.calls + dice.randint(2, 40)
            self.up.until(lambda enough=enough: self.calls >= enough)
            poller = self.up.child("stream.cli poll")
            assert poller is not None
            os.kill(poller, signal.SIGKILL)


def differences(oracle: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Customer by customer, field by field."""
    wrong = [
        f"{customer}: is not there"
        for customer, each in oracle.items()
        if each["known"] and not each["walk_in"] and customer not in documents
    ]
    for customer, document in documents.items():
        wanted = oracle.get(customer)
        if wanted is None:
            wrong.append(f"{customer}: should not be there")
            continue
        cents = wanted["total_spent_minor"]
        pairs = {
            "pointsFromOrders": wanted["points_from_orders"],
            "pointsFromAlpine": wanted["provider_points"],
            "points": wanted["points"],
            "tier": wanted["tier"],
            "orderCount": wanted["order_count"],
            "totalSpent": f"{'-' * (cents < 0)}{abs(cents) // 100}.{abs(cents) % 100:02}",
            "loyaltyReconciled": wanted["verdict"] == "matched",
            "needsReview": wanted["verdict"] == "discrepancy",
        }
        wrong += [
            f"{customer}: {name} {document.get(name)} for {v}" for name, v in pairs.items() if document.get(name) != v
        ]
    return wrong


async def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """A topic from its beginning to its end, committed records only."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        await consumer._client._wait_on_metadata(topic)
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(where) < end for where, end in ends.items() if end]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        return records
    finally:
        await consumer.stop()


def _inline(table: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items()) + "}"
