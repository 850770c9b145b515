"""The AsyncAPI document as a subscriber has it: the file, and nothing of the code that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

DOCS = Path(__file__).parents[2] / "docs"
Sample = dict[str, Any]


class Published:
    """`docs/asyncapi.yaml`."""

    def __init__(self) -> None:
        self.text = (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")
        self.document: dict[str, Any] = yaml.safe_load(self.text)
        self.messages: dict[str, Any] = self.document["components"]["messages"]

    def on(self, topic: str) -> list[str]:
        """The names of a channel's messages."""
        return list(self.document["channels"][topic]["messages"])

    def wrong(self, message: str, value: object, headers: Mapping[str, str] | None = None) -> list[str]:
        """What the message's schemas find wrong with a record."""
        schemas = self.messages[message]
        found = list(_errors(schemas["payload"], value))
        return found if headers is None else found + list(_errors(schemas["headers"], dict(headers)))


def message_of(value: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The message that a record is."""
    if headers:
        return headers["ce_type"]
    return f"PointsEntry.{value['data']['cause']}" if value["type"] == "PointsEntry" else str(value["type"])


def _errors(schema: dict[str, Any], value: object) -> Iterator[str]:
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(value):
        yield f"{error.json_path}: {error.message}"
