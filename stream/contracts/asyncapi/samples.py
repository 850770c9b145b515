"""Golden samples: records of the topics for subscribers, as they are on the wire, written down once and for all."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream.contracts.asyncapi.schemas import Json


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record: `docs/samples/TOPIC/NAME.json`. Value without its spaces, headers in their order are the wire's."""

    key: str
    value: Json
    headers: dict[str, str] = msgspec.field(default_factory=dict)


Samples = Mapping[str, Mapping[str, Sample]]
"""Topic → name → sample."""
