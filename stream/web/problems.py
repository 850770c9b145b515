"""RFC 9457 problems: what went wrong, as `application/problem+json`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from stream.errors import BadRecord, Unreachable
from stream.web.headers import HEADERS

TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Authentication needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not in this state",
    412: "Changed meanwhile",
    413: "Too large",
    422: "Not valid",
    428: "Condition needed",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
}
NEW = "about:blank"
ProblemPage = Callable[[int, str, dict[str, str] | None], Response]


class Problem(Exception):
    """Ends a request with this status. `detail`: one sentence for people: what was wrong and what to do."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def not_found(what: str) -> Problem:
    """The same words whether it does not exist or must not be known to exist."""
    return Problem(404, f"{what} is not known")


def problem_response(
    status: int, detail: str, *, path: str = "", headers: dict[str, str] | None = None, **more: object
) -> Response:
    """The answer. Below `/api/loyalty` it also has the members that other answers there have: `success`, `error`."""
    body: dict[str, object] = {"type": NEW, "title": TITLES.get(status, "Problem"), "status": status, "detail": detail}
    if path.startswith("/api/loyalty"):
        body |= {"success": False, "error": detail}
    return Response(msgspec.json.encode(body | more), status, {**(headers or {})}, media_type=TYPE)


def wants_page(scope: Scope) -> bool:
    """Whether a person's browser asks for a page."""
    accepts = Headers(scope=scope).get("accept", "")
    return not scope["path"].startswith("/api/") and scope["method"] == "GET" and "text/html" in accepts


def add_problem_handlers(app: FastAPI, page: ProblemPage | None = None) -> None:
    """Every failure is answered as a problem; `page`: what people see at an address that does not exist."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return problem_response(error.status, error.detail, path=request.url.path, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        if page is not None and wants_page(request.scope):
            return page(error.status_code, "There is no such page. Look at the address.", headers)
        return problem_response(error.status_code, str(error.detail), path=request.url.path, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"where": ".".join(str(step) for step in each["loc"]), "message": str(each["msg"])[:300]}
            for each in error.errors()[:20]
        ]
        detail = "; ".join(f"{each['where']}: {each['message']}" for each in errors[:3])
        return problem_response(422, detail, path=request.url.path, errors=errors)

    @app.exception_handler(BadRecord)
    async def bad(request: Request, error: BadRecord) -> Response:
        return problem_response(422, str(error), path=request.url.path)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        """A fault of ours. It is answered from outside the gate, so it brings what every answer carries itself; the
        server logs it."""
        said = "That went wrong here, and is logged: tell whoever runs this."
        if page is not None and wants_page(request.scope):
            return page(500, said, HEADERS)
        return problem_response(500, said, path=request.url.path, headers=HEADERS)

    @app.exception_handler(Unreachable)
    async def unavailable(request: Request, error: Unreachable) -> Response:
        return problem_response(503, str(error), path=request.url.path, headers={"retry-after": "5"})
