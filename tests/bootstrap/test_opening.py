"""Nobody else's machine is answered while nobody has access; and the one-time address."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.bootstrap.opening import configured_key, local_key_path, one_time_address, require_access
from stream.bootstrap.places import DataFolder
from stream.contracts import topics
from stream.contracts.access import ACCESS, ApiKey, Role, access_key
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.errors import ConfigurationError
from stream.settings import WebSettings
from stream.web.access.keys import local_key

KEY = ApiKey(id="1f3a9c0b", name="till", role=Role.VIEWER, hash="h", created_at=1, created_by="cli")
REVOKED = ApiKey(id="1f3a9c0b", name="till", role=Role.VIEWER, hash="h", created_at=1, created_by="cli", revoked_at=2)


async def test_other_machines_are_answered_only_when_somebody_has_access(kafka: str, topic_prefix: str) -> None:
    await apply_topics(kafka, topic_prefix, 2, 1)
    public, local = WebSettings(host="0.0.0.0"), WebSettings(host="127.0.0.1")
    await require_access(local, kafka, topic_prefix)
    await require_access(WebSettings(host="0.0.0.0", key=SecretStr("k" * 32)), kafka, topic_prefix)
    with pytest.raises(ConfigurationError, match="loyalty keys create"):
        await require_access(public, kafka, topic_prefix)
    async with KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher:
        for body, allowed in ((KEY, True), (REVOKED, False)):
            value = ACCESS.encode(body, org="a", at=1, source="test")
            await publisher.publish([Output(topics.ACCESS.name, access_key("a", body), value)])
            if allowed:
                await require_access(public, kafka, topic_prefix)
    with pytest.raises(ConfigurationError, match="nobody has access"):
        await require_access(public, kafka, topic_prefix)


def test_a_configured_key_cannot_be_guessed() -> None:
    assert configured_key(WebSettings()) is None
    assert configured_key(WebSettings(key=SecretStr("k" * 32))) == "k" * 32
    with pytest.raises(ConfigurationError, match="32 characters"):
        configured_key(WebSettings(key=SecretStr("short")))


async def test_where_nothing_runs_there_is_no_address(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert await one_time_address(folder) is None
    folder.publish(web="http://127.0.0.1:1")
    local_key(local_key_path(folder))
    assert await one_time_address(folder) is None
