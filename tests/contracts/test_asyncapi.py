"""The AsyncAPI document is generated, valid, and true of the golden samples."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from stream.contracts.alerts import Alert, AlertKind, decode_alert, encode_alert, replayed
from stream.contracts.asyncapi.__main__ import as_yaml, read
from stream.contracts.cases import CASES, CaseState
from stream.contracts.entries import ENTRIES, Cause
from stream.contracts.envelope import Vocabulary
from stream.contracts.profiles import PROFILES
from stream.contracts.topics import ALERTS
from tests.contracts.asyncapi import DOCS, Published, message_of

OFFICIAL = Path(__file__).parent / "vendored" / "asyncapi-3.0.0.json.gz"
SAMPLES = read(DOCS / "samples")
EVERY_SAMPLE = [(topic, name) for topic, samples in SAMPLES.items() for name in samples]
VOCABULARIES = {"entries": ENTRIES, "cases": CASES, "profiles": PROFILES}
HOW = "run `python -m stream.contracts.asyncapi`"


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


# The document


def test_the_document_in_the_repository_is_the_generated_one(published: Published) -> None:
    assert published.text == as_yaml(SAMPLES), HOW


@pytest.mark.parametrize(
    ("spoil", "valid"),
    [
        (lambda document: None, True),
        (lambda document: document.pop("info"), False),
        (lambda document: document["channels"]["alerts"].update(topic="loyalty.alerts"), False),
        (lambda document: document["operations"]["alerts.send"].update(action="publish"), False),
        (lambda document: document["components"]["messages"]["Case"]["payload"].update(type="case"), False),
    ],
    ids=["as it is", "without info", "a channel with a topic", "an action of AsyncAPI 2", "a type that is none"],
)
def test_the_document_is_asyncapi_3(spoil: Callable[[dict[str, Any]], object], valid: bool) -> None:
    document = Published().document
    spoil(document)
    official = jsonschema.Draft7Validator(json.loads(gzip.decompress(OFFICIAL.read_bytes())))
    assert official.is_valid(document) == valid


def test_a_payload_is_complete_in_itself_and_has_an_address_of_its_own(published: Published) -> None:
    assert "$ref" not in json.dumps(published.document["components"])
    addresses = [message["payload"]["$id"] for message in published.messages.values()]
    assert len(set(addresses)) == len(addresses) == len(AlertKind) + len(Cause) + 2


def test_every_channel_names_its_messages(published: Published) -> None:
    assert published.on("alerts") == [f"com.loyaltystream.{kind}" for kind in AlertKind]
    assert published.on("entries") == [f"PointsEntry.{cause}" for cause in Cause]
    assert (published.on("cases"), published.on("profiles")) == (["Case"], ["Profile"])


# Golden samples


def test_there_is_a_sample_of_every_kind_of_alert_cause_of_an_entry_and_state_of_a_case() -> None:
    assert sorted(SAMPLES["alerts"]) == sorted(AlertKind)
    assert sorted(SAMPLES["entries"]) == sorted(Cause)
    assert {sample.value["data"]["state"] for sample in SAMPLES["cases"].values()} == set(CaseState)


@pytest.mark.parametrize(("topic", "name"), EVERY_SAMPLE)
def test_a_sample_is_what_the_code_writes_to_the_byte(topic: str, name: str) -> None:
    sample = SAMPLES[topic][name]
    value = msgspec.json.encode(sample.value)
    if topic == ALERTS.name:
        alert, headers = decode_alert(value), sample.headers
        written, attributes = encode_alert(alert, alert_id=headers["ce_id"], at=_millis(headers["ce_time"]))
        assert list(headers.items()) == [(key, text.decode()) for key, text in attributes]
        assert sample.key == (f"{alert.org}:{alert.customer}" if alert.customer else alert.org)
    else:
        written = _again(VOCABULARIES[topic], value)
    assert value == written


@pytest.mark.parametrize(("topic", "name"), EVERY_SAMPLE)
def test_a_sample_is_valid_and_without_any_field_that_is_required_it_is_not(
    topic: str, name: str, published: Published
) -> None:
    sample = SAMPLES[topic][name]
    message = message_of(sample.value, sample.headers)
    assert published.wrong(message, sample.value, sample.headers or None) == []
    required = published.messages[message]["payload"]["required"]
    for field in required:
        rest = {key: value for key, value in sample.value.items() if key != field}
        assert published.wrong(message, rest) == [f"$: {field!r} is a required property"]
        assert published.wrong(message, sample.value | {field: None}) != []
    for header in sample.headers:
        others = {key: text for key, text in sample.headers.items() if key != header}
        assert published.wrong(message, sample.value, others) == [f"$: {header!r} is a required property"]


def test_an_alert_of_one_kind_is_none_of_another(published: Published) -> None:
    alerts = SAMPLES["alerts"]
    for kind, sample in alerts.items():
        fits = [other for other in alerts if not published.wrong(f"com.loyaltystream.{other}", sample.value)]
        assert fits == [kind]


def test_a_field_that_comes_later_does_not_break_a_subscriber(published: Published) -> None:
    sample = SAMPLES["alerts"]["run.failed"]
    later = sample.value | {"severity": "high"}
    assert published.wrong("com.loyaltystream.run.failed", later, sample.headers | {"ce_traceparent": "00"}) == []


# Attributes


def test_attributes_have_names_that_cloud_events_allows() -> None:
    names = {name for sample in SAMPLES["alerts"].values() for name in sample.headers} - {"content-type"}
    assert [name for name in names if not re.fullmatch(r"ce_[a-z0-9]{1,20}", name)] == []


@pytest.mark.parametrize(("earlier", "later"), [(1, 2), (9, 10), (99, 100)])
def test_sequences_are_ordered_as_text(earlier: int, later: int) -> None:
    of_a_case = Alert(kind=AlertKind.DISCREPANCY_OPENED, org="o", customer="1", case="o:1:1")
    alerts = [msgspec.structs.replace(of_a_case, sequence=number) for number in (earlier, later)]
    first, second = (dict(encode_alert(alert, alert_id="i", at=0)[1])["ce_sequence"] for alert in alerts)
    assert first < second


def test_an_alert_said_again_is_the_same_but_for_the_mark() -> None:
    _, headers = encode_alert(Alert(kind=AlertKind.RUN_FAILED, org="o"), alert_id="i", at=0)
    again = dict(replayed(headers))
    assert again == dict(headers) | {"ce_isreplay": b"true"}
    assert dict(replayed(again.items())) == again
    assert dict(headers)["ce_isreplay"] == b"false"


def _again(vocabulary: Vocabulary, value: bytes) -> bytes:
    event = vocabulary.decode(value)
    return vocabulary.encode(
        event.data, org=event.org, at=event.at, source=event.source, customer=event.customer, event_id=event.id
    )


def _millis(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
