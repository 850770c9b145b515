"""The OpenAPI document: what FastAPI knows of the routes, and what all of them have in common."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from stream.contracts.settings import OrgSettings
from stream.web.access.sessions import COOKIE
from stream.web.problems import TITLES, TYPE

SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `loyalty keys create`."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A browser's session."},
}
COMMON = (401, 404, 422, 429, 503)
CHANGES = (400, 403, 409, 413)
CONDITIONAL = (412, 428)
OPEN = frozenset({"/api/v1/session"})
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people: what was wrong and what to do."},
    },
    "required": ["type", "title", "status", "detail"],
}
DESCRIPTION = """Loyalty points of a dispensary's customers: calculated from orders, compared with the provider's.

Send an API key as `Authorization: Bearer KEY`. Lists come in pages: ask with `cursor` = `next` for the one after.
Points are integers, money is in minor units, times are ISO 8601 in UTC; what is unknown is null, never 0.
"""


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes, description=DESCRIPTION)
        schemas = made["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = PROBLEM
        schemas |= _settings()
        made["components"]["responses"] = {str(status): _problem(status) for status in TITLES}
        made["components"]["securitySchemes"] = SECURITY
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        app.openapi_schema = made
    return app.openapi_schema


def operation_name(route: APIRoute) -> str:
    """An operation's id: what it is about and what it does."""
    tag = str(route.tags[0]).replace(" ", "_") if route.tags else "page"
    return f"{tag}_{route.name}"


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = [*COMMON, *(CHANGES if method != "get" else ()), *(CONDITIONAL if method == "patch" else ())]
    if path.endswith(("/keys", "/members", "/audit")):
        statuses.append(403)
    for status in sorted(set(statuses)):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{status}"}
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "export" in names:
        listed = operation["responses"]["200"]["content"]
        listed["application/json"]["schema"] = {
            "anyOf": [listed["application/json"]["schema"], {"type": "array", "items": {"type": "object"}}]
        }
        listed["text/csv"] = {"schema": {"type": "string"}}
    operation["security"] = [] if path in OPEN else [{"key": []}, {"session": []}]


def _problem(status: int) -> dict[str, Any]:
    content = {TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": TITLES[status], "content": content}


def _settings() -> dict[str, Any]:
    """The settings' schema, from their contract; a change may leave every field out."""
    _, found = msgspec.json.schema_components([OrgSettings], ref_template="#/components/schemas/{name}")
    known = {name: schema for name, schema in found.items() if not name.startswith("Sequence")}
    whole = known["OrgSettings"]
    known["SettingsChange"] = whole | {"required": [], "title": "SettingsChange", "additionalProperties": False}
    return known
