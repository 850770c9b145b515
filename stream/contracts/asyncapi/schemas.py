"""JSON schemas of contracts, each complete in itself: nobody has to follow references.

They say what is written. A field that has its default is left out of a record, so none of them is ever null.
New fields may come, so none forbids others.
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from stream.contracts.asyncapi.meanings import MEANINGS

Json = dict[str, Any]
"""A JSON object on its way into the document: its form is AsyncAPI's, and checked against AsyncAPI's schema."""


def schema_of(contract: object) -> Json:
    """The schema of a struct. Fields carry the words of `meanings`; raises KeyError for one that has none."""
    whole = msgspec.json.schema(contract)
    schema: Json = _complete(whole, whole.get("$defs", {}))
    return schema


def narrowed(schema: Json, *, always: tuple[str, ...] = (), without: tuple[str, ...] = (), **fixed: str) -> Json:
    """The schema of one kind: fields that it has `always`, fields that it is `without`, fields with one value."""
    properties = {name: each for name, each in schema["properties"].items() if name not in without}
    for name, value in fixed.items():
        properties[name] = {"const": value} | {k: v for k, v in properties[name].items() if k == "description"}
    required = [name for name in properties if name in {*schema["required"], *always, *fixed}]
    return schema | {"properties": properties, "required": required}


def _complete(node: Any, definitions: Json) -> Any:
    match node:
        case {"$ref": str(name)}:
            return _complete(definitions[name.removeprefix("#/$defs/")], definitions)
        case {"anyOf": [*alternatives]}:
            (alternative,) = (each for each in alternatives if each != {"type": "null"})
            return _complete(alternative, definitions)
        case {"type": "object", "title": str(title), "properties": dict(properties)}:
            return _object(node, title, {name: _complete(each, definitions) for name, each in properties.items()})
        case {"type": "array"}:
            return {"type": "array", "items": _complete(node["items"], definitions)}
        case {"enum": [*values]}:
            return {"type": "string", "enum": values}
        case {"type": str(kind)}:
            return {"type": kind}
    raise TypeError(f"no contract for subscribers has had anything like {node}: say here what it is in the document")


def _object(node: Json, title: str, properties: Json) -> Json:
    name = title.partition("[")[0]
    return {
        "title": name,
        "description": _unwrapped(node["description"]),
        "type": "object",
        "properties": {field: each | {"description": MEANINGS[name][field]} for field, each in properties.items()},
        "required": node["required"],
    }


def _unwrapped(docstring: str) -> str:
    """Its paragraphs, a line each."""
    return "\n".join(" ".join(part.split()) for part in inspect.cleandoc(docstring).split("\n\n"))
