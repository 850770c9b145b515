"""The document as a whole: channels, and what is sent on them."""

from __future__ import annotations

from stream.contracts import topics
from stream.contracts.alerts import SCHEMA_VERSION
from stream.contracts.asyncapi.messages import alert_messages, case_messages, entry_messages, profile_messages
from stream.contracts.asyncapi.samples import Samples
from stream.contracts.asyncapi.schemas import Json
from stream.contracts.topics import Topic

MESSAGES = {
    topics.ALERTS: (alert_messages, "what a person should hear of: CloudEvents 1.0 in Kafka's binary mode"),
    topics.ENTRIES: (entry_messages, "every step in how the points came about, as it happens"),
    topics.CASES: (case_messages, "discrepancies from their opening to their end"),
    topics.PROFILES: (profile_messages, "what is known of customers"),
}

INFO: Json = {
    "title": "Loyalty Stream",
    "version": f"{SCHEMA_VERSION}.0.0",
    "description": (
        "What subscribers may read. Generated from the contracts: do not edit. Rules for readers, among them "
        "`isolation_level=read_committed`: docs/subscribers.md. Points are integers, money is integer minor units, "
        "times are UTC milliseconds. An absent field is unknown or has its default; new fields may come. Each payload "
        "is complete in itself; its `$id` is the address by which records name it (`ce_dataschema`)."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
KAFKA = "0.5.0"
"""Version of AsyncAPI's Kafka binding."""


def document(samples: Samples) -> Json:
    """The AsyncAPI 3.0.0 document. Raises KeyError when a kind has no sample, or a field no meaning."""
    messages = {topic.name: make(samples[topic.name]) for topic, (make, _) in MESSAGES.items()}
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic.name: _channel(topic, messages[topic.name]) for topic in MESSAGES},
        "operations": {f"{topic.name}.send": _operation(topic) for topic in MESSAGES},
        "components": {"messages": {name: each for named in messages.values() for name, each in named.items()}},
    }


def _server() -> Json:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka of the installation.",
        "variables": {"bootstrap": {"default": "localhost:9092", "description": "`kafka.bootstrap`"}},
    }


def _channel(topic: Topic, messages: Json) -> Json:
    config = topic.config
    return {
        "address": f"{{prefix}}{topic.name}",
        "description": MESSAGES[topic][1],
        "parameters": {"prefix": {"default": "loyalty.", "description": "`kafka.prefix`"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "retention.ms": int(config["retention.ms"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": KAFKA,
            }
        },
    }


def _operation(topic: Topic) -> Json:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
