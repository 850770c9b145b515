"""The messages of the channels: for each kind a name, headers, a payload and examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from stream.contracts.alerts import TYPE_PREFIX, Alert, AlertKind, schema_address
from stream.contracts.asyncapi.meanings import EVENT, HEADERS
from stream.contracts.asyncapi.samples import Sample
from stream.contracts.asyncapi.schemas import Json, narrowed, schema_of
from stream.contracts.cases import Case
from stream.contracts.entries import Cause, PointsEntry
from stream.contracts.envelope import Event
from stream.contracts.profiles import Profile

ABOUT_A_CASE = ("customer", "case", "sequence", "ours", "provider", "difference", "tier_ours", "tier_provider")
ALERTS: dict[AlertKind, tuple[str, tuple[str, ...]]] = {
    AlertKind.DISCREPANCY_OPENED: ("a case was opened, or opened again", ABOUT_A_CASE),
    AlertKind.DISCREPANCY_WORSENED: (
        "the difference has grown materially since the last alert of the case",
        ABOUT_A_CASE,
    ),
    AlertKind.DISCREPANCY_STANDING: (
        "the difference still stands, and people were told long ago (`reminds_after_hours`)",
        ABOUT_A_CASE,
    ),
    AlertKind.DISCREPANCY_RESOLVED: ("the case has ended", ABOUT_A_CASE),
    AlertKind.PROVIDER_UNAVAILABLE: ("the loyalty provider stopped answering; one alert, however long", ("reason",)),
    AlertKind.PROVIDER_RECOVERED: ("it answers again", ("reason",)),
    AlertKind.RUN_FAILED: (
        "a run of the whole org ended without a result; intraday ones are told once until one succeeds, and not while "
        "the provider is away",
        ("reason", "run"),
    ),
    AlertKind.ORDER_STATUS_UNKNOWN: (
        "an order has a status that the settings do not name and earns nothing until they do; once for each status",
        ("reason", "run"),
    ),
    AlertKind.REMOVAL_WITHHELD: ("a walk lacked implausibly many orders; none was removed", ("reason", "run")),
    AlertKind.PARTITION_STOPPED: ("too many records in a row could not be applied; a person must act", ("reason",)),
}
"""Kind → when, and the fields that it always has besides `kind` and `org`."""

ABOUT_AN_ORDER = (Cause.ORDER_ADDED, Cause.ORDER_CHANGED, Cause.ORDER_REMOVED, Cause.ORDER_MOVED_AWAY)
CUSTOMER_KEY = {"type": "string", "description": "`org:customer`"}
CASE_KEY = {"type": "string", "description": "`org:customer:number`"}
ALERT_KEY = {"type": "string", "description": "`org:customer`, or `org` where the alert is about no customer"}


def alert_messages(samples: Mapping[str, Sample]) -> Json:
    """One message for each kind, named by its `ce_type`."""
    return {
        TYPE_PREFIX + kind: _message(when, ALERT_KEY, _alert(kind), [samples[kind]], _headers(kind))
        for kind, (when, _) in ALERTS.items()
    }


def entry_messages(samples: Mapping[str, Sample]) -> Json:
    """One message for each cause."""
    messages: Json = {}
    for cause in Cause:
        always = ("order",) if cause in ABOUT_AN_ORDER else ()
        data = narrowed(schema_of(PointsEntry), always=always, without=() if always else ("order",), cause=cause.value)
        payload = _enveloped("PointsEntry", data, f"entry:{cause}")
        messages[f"PointsEntry.{cause}"] = _message("a step in the points", CUSTOMER_KEY, payload, [samples[cause]])
    return messages


def case_messages(samples: Mapping[str, Sample]) -> Json:
    """One message, with an example for each state."""
    payload = _enveloped("Case", schema_of(Case), "case")
    return {"Case": _message("a case as it stands now", CASE_KEY, payload, samples.values())}


def profile_messages(samples: Mapping[str, Sample]) -> Json:
    """One message."""
    payload = _enveloped("Profile", schema_of(Profile), "profile")
    return {"Profile": _message("a customer's points as they stand now", CUSTOMER_KEY, payload, samples.values())}


def _message(summary: str, key: Json, payload: Json, samples: Iterable[Sample], headers: Json | None = None) -> Json:
    examples = [
        ({"headers": sample.headers} if sample.headers else {}) | {"payload": sample.value} for sample in samples
    ]
    message = {"summary": summary, "contentType": "application/json"} | ({"headers": headers} if headers else {})
    return message | {"payload": payload, "bindings": {"kafka": {"key": key}}, "examples": examples}


def _alert(kind: AlertKind) -> Json:
    _, always = ALERTS[kind]
    without = () if "case" in always else (*ABOUT_A_CASE, "causes")
    schema = narrowed(schema_of(Alert), always=always, without=without, kind=kind.value)
    return {"$id": schema_address(kind)} | schema | {"title": _title(kind)}


def _headers(kind: AlertKind) -> Json:
    about_a_case = "case" in ALERTS[kind][1]
    forms: Json = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"minLength": 1},
        "ce_source": {"pattern": "^/loyalty-stream/[a-z0-9_-]{1,64}$"},
        "ce_type": {"const": TYPE_PREFIX + kind},
        "ce_subject": {"pattern": "^customer/" if about_a_case else "^org/"},
        "ce_time": {"format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "ce_dataschema": {"const": schema_address(kind)},
        "ce_caseid": {"minLength": 1},
        "ce_sequence": {"pattern": "^[0-9]{10}$"},
        "ce_isreplay": {"enum": ["false", "true"]},
        "content-type": {"const": "application/json"},
    }
    fitting = [name for name in forms if about_a_case or name not in ("ce_caseid", "ce_sequence")]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} | forms[name] | {"description": HEADERS[name]} for name in fitting},
        "required": fitting,
    }


def _enveloped(name: str, data: Json, kind: str) -> Json:
    tag = {"const": name, "description": EVENT["type"]}
    event = schema_of(Event[Profile])
    schema = event | {"properties": {"type": tag} | event["properties"] | {"data": data}}
    schema = narrowed(schema, always=("type", "customer"), without=("id",))
    return {"$id": f"urn:loyalty-stream:{kind}:1"} | schema | {"title": f"{_title(kind)}Event"}


def _title(kind: str) -> str:
    """A name for those who make classes of schemas."""
    return "".join(word.capitalize() for word in re.split(r"[^a-z]", kind))
