"""Dead letters of producers, on a real Kafka."""

from __future__ import annotations

import random

from producers.dead_letters import LONGEST_RAW_BYTES, dead_letter
from stream.contracts.names import Millis, OrgId
from stream.contracts.topics import DEAD_LETTERS
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from tests.engine.running import Reader


async def test_a_page_of_any_size_finds_room_with_the_longest_reason(kafka: str, topic_prefix: str) -> None:
    await apply_topics(kafka, topic_prefix, 1, 1)
    page = random.Random(1).randbytes(3 * LONGEST_RAW_BYTES)
    letter = dead_letter(
        page, org=OrgId("o" * 64), at=Millis(1), stage="alpine_iq.translate", reason="€" * 5000, exception="Unreadable"
    )
    async with KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher:
        await publisher.publish([letter])
    async with Reader(kafka, topic_prefix, 1) as reader:
        (found,) = await reader.everything(DEAD_LETTERS)
    assert found.value == page[:LONGEST_RAW_BYTES]
