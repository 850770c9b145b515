"""The notifier as a process, killed at every point between an alert and the record that people have it.

What holds each time: a message that nobody accepted arrives later; one whose acceptance is in the log is not sent
again; one that was accepted while the answer was lost is sent once more, under the same id.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.bootstrap.places import DataFolder
from stream.contracts.deliveries import Outcome
from stream.ops.probe import answers
from stream.sinks.notify.delivery_reader import DeliveryReader
from tests.sinks.kafka_log import PARTITIONS, KafkaLog, kafka_log
from tests.sinks.notify.news import AT, DAILY, DAY_MS, ORG, alert_record, completed, opened
from tests.sinks.notify.servers import (
    PASSWORD,
    SIGNING,
    TOKEN,
    USER,
    Mail,
    Web,
    mail_server,
    nothing,
    web_servers,
)
from tests.sinks.notify.wire import deliveries

PATIENCE_SECONDS = 60

CONFIGURATION = """
data_dir = "{folder}/data"
[kafka]
bootstrap = "{bootstrap}"
prefix = "{prefix}"
partitions = {partitions}
[smtp]
host = "localhost"
port = {smtp_port}
sender = "loyalty@example.com"
username = "{user}"
password = "env:MAIL"
ca_file = "{folder}/ca.pem"
[[org]]
id = "{org}"
[org.notify]
window_seconds = 600
heartbeat = "{web.heartbeat}"
[[org.notify.discord]]
url = "env:DISCORD"
[[org.notify.email]]
to = ["owner@example.com"]
[[org.notify.webhook]]
url = "{web.hook}"
secrets = ["env:SIGNING"]
"""


class Life:
    """The notifier's processes, one after the other, and what is outside of them."""

    def __init__(self, log: KafkaLog, web: Web, mail: Mail, folder: Path) -> None:
        self.log, self.web, self.mail = log, web, mail
        self.data = DataFolder(folder / "data")
        self.file = folder / "loyalty.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self.file.write_text(
            CONFIGURATION.format(
                folder=folder,
                bootstrap=log.bootstrap,
                prefix=log.prefix,
                partitions=PARTITIONS,
                smtp_port=mail.port,
                user=USER,
                org=ORG,
                web=web,
            )
        )

    def begin(self) -> None:
        self.data.root.mkdir(exist_ok=True)
        self.data.forget_endpoints()
        secrets = {"MAIL": PASSWORD, "DISCORD": self.web.discord, "SIGNING": f"whsec_{SIGNING[0]}"}
        with (self.data.root / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream.cli", "sink", "notify", "--config", str(self.file)],
                env=os.environ | secrets,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    async def ready(self) -> None:
        async def up() -> bool:
            address = self.data.endpoints().get("sink-notify")
            return address is not None and await asyncio.to_thread(answers, f"{address}/readyz")

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await up():
                assert self._process is not None
                assert self._process.poll() is None, self.said()
                await asyncio.sleep(0.05)

    async def dead(self) -> None:
        """Wait until it was killed."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asyncio.to_thread(self._process.wait) == -signal.SIGKILL, self.said()
        self._process = None

    async def first_delivery(self) -> None:
        """Wait until something is in `deliveries`."""
        reader = DeliveryReader(self.log.bootstrap, self.log.prefix)
        try:
            await reader.all()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await reader.next():
                    pass
        finally:
            await reader.close()

    async def until_delivered(self, messages: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while Counter(each.outcome for each in await deliveries(self.log)) != {Outcome.DELIVERED: messages}:
                await asyncio.sleep(0.1)

    def accepted(self) -> dict[str, int]:
        return {
            "discord": len(self.web.to("discord")),
            "email": len(self.mail.mails),
            "webhook": len(self.web.to("hook")),
        }

    def ids(self) -> dict[str, set[str]]:
        return {
            "discord": {got["body"]["embeds"][0]["footer"]["text"] for got in self.web.to("discord")},
            "email": {str(mail["Message-ID"]) for mail in self.mail.mails},
            "webhook": {got["headers"]["webhook-id"] for got in self.web.to("hook")},
        }

    def said(self) -> str:
        """What all its processes logged."""
        return (self.data.root / "output").read_text()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
async def life(kafka: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Life]:
    async with kafka_log(kafka, topic_prefix) as log, web_servers() as web, mail_server(tmp_path) as mail:
        life = Life(log, web, mail, tmp_path)
        yield life
        life.end()


async def test_every_message_arrives_once_wherever_the_notifier_is_killed(life: Life) -> None:
    web, mail = life.web, life.mail
    await life.log.publish([alert_record(opened(number, difference=-number), number) for number in range(1, 101)])

    # 1  the alerts are read, nothing is in the log yet
    life.begin()
    await life.ready()
    life.kill()
    await life.dead()
    assert await deliveries(life.log) == []

    # 2  the first message is in the log, nobody has accepted it
    mail.closed, web.arriving = True, lambda name: False
    await life.log.publish([completed(review=100)])
    life.begin()
    await life.first_delivery()
    life.kill()
    await life.dead()

    # 3  Discord is asked
    def ask_discord(name: str) -> bool:
        if name == "discord":
            life.kill()
        return False

    web.arriving = ask_discord
    life.begin()
    await life.dead()
    assert life.accepted() == {"discord": 0, "email": 0, "webhook": 0}

    # 4  the webhook has accepted, the answer is lost
    web.arriving, web.received = (lambda name: name == "hook"), (lambda name: life.kill())
    life.begin()
    await life.dead()
    web.arriving, web.received = (lambda name: False), (lambda name: None)
    assert life.accepted() == {"discord": 0, "email": 0, "webhook": 1}

    # 5  the mail server has accepted, the answer is lost
    mail.closed, mail.received = False, life.kill
    life.begin()
    await life.dead()
    mail.received = nothing
    assert life.accepted() == {"discord": 0, "email": 1, "webhook": 1}

    # 6  left alone it brings what is missing, once more what may have been lost, and nothing else
    web.arriving = lambda name: True
    life.begin()
    await life.until_delivered(3)
    await life.log.publish([completed(f"{ORG}:daily:next", offset=1, at=AT + DAY_MS)])
    await life.until_delivered(6)

    assert life.accepted() == {"discord": 2, "email": 3, "webhook": 3}
    assert {channel: len(ids) for channel, ids in life.ids().items()} == {"discord": 2, "email": 2, "webhook": 2}
    told = [got["body"]["data"] for got in web.to("hook")]
    assert [(each["count"], each["run"]) for each in told] == [(100, DAILY), (100, DAILY), (0, f"{ORG}:daily:next")]
    assert [secret for secret in (PASSWORD, SIGNING[0], TOKEN, "owner@example.com") if secret in life.said()] == []
