"""The gate before every route: who calls, how often, from where; and what every answer carries.

Nothing is served without authentication but health, and what is public on purpose (the log-in page and its assets).
Without it every other path answers the same, whether it exists or not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.errors import Unreachable
from stream.web.access.authenticator import Authenticator
from stream.web.access.limits import RateLimit
from stream.web.access.principals import Principal
from stream.web.access.sessions import COOKIE
from stream.web.headers import HEADERS
from stream.web.problems import Problem, problem_response, wants_page

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH = frozenset({"/healthz", "/readyz"})
METRICS = "/metrics"
LOG_IN = "/login"
PUBLIC = frozenset({*HEALTH, LOG_IN, "/start", "/api/v1/session"})
"""Answered without authentication; `/api/v1/session` and `/start` are how one authenticates."""
PUBLIC_FOLDER = "/assets/"
BODY_BYTES_MAX = 1 << 18
FAILURES_A_MINUTE = 60


class Gate:
    """ASGI middleware. `calls_a_minute`: for each principal, over all of its requests."""

    def __init__(
        self, app: ASGIApp, *, authenticator: Authenticator, calls_a_minute: int, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._calls = RateLimit(calls_a_minute, 60, clock)
        self._failures = RateLimit(FAILURES_A_MINUTE, 60, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        with_headers = _with_headers(scope, send)
        try:
            self._admit(scope)
        except Problem as problem:
            answer = problem_response(problem.status, problem.detail, path=scope["path"], headers=problem.headers)
            await _to_log_in(scope, problem, answer)(scope, receive, with_headers)
        except Unreachable as error:
            answer = problem_response(503, str(error), path=scope["path"], headers={"retry-after": "5"})
            await answer(scope, receive, with_headers)
        else:
            await self._app(scope, _limited(receive), with_headers)

    def _admit(self, scope: Scope) -> None:
        """Note who calls in the scope's state. Raises Problem when they must not come in."""
        headers = Headers(scope=scope)
        changes = scope["method"] not in SAFE
        if int(_digits(headers.get("content-length"))) > BODY_BYTES_MAX:
            raise Problem(413, f"a request has at most {BODY_BYTES_MAX} bytes")
        principal = self._principal(headers)
        scope.setdefault("state", {}).update(principal=principal, principal_now=lambda: self._principal(headers))
        if _public(scope):
            if changes and not _same_origin(headers, strict=False):
                raise Problem(403, "the request comes from another site")
            return
        if principal is None:
            caller = (scope.get("client") or ("", 0))[0]
            _limit(self._failures, caller)
            raise Problem(
                401,
                "send an API key as `Authorization: Bearer KEY`, or log in",
                headers={"www-authenticate": 'Bearer realm="loyalty"'},
            )
        if principal.in_browser and changes and not _same_origin(headers, strict=True):
            raise Problem(403, "the request comes from another site")
        _limit(self._calls, principal.id)

    def _principal(self, headers: Headers) -> Principal | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._authenticator.by_key(token.strip())
        cookie = session_cookie(headers.getlist("cookie"))
        return self._authenticator.by_session(cookie) if cookie else None


def session_cookie(headers: Iterable[str]) -> str | None:
    """The session's token in the request's cookies."""
    for header in headers:
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            continue
        if found is not None:
            return found.value
    return None


def _limit(limit: RateLimit, caller: str) -> None:
    wait = limit.wait(caller)
    if wait:
        raise Problem(429, f"too many requests: wait {wait:.0f} s", headers={"retry-after": str(max(1, round(wait)))})


def _public(scope: Scope) -> bool:
    path = scope["path"]
    if path == METRICS:
        return _is_loopback((scope.get("client") or ("", 0))[0])
    return path in PUBLIC or path.startswith(PUBLIC_FOLDER)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _same_origin(headers: Headers, *, strict: bool) -> bool:
    """Whether a page of ours sent it. Not `strict`: a program, which says neither, may too."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return not strict
    return urlsplit(origin).netloc == headers.get("host") != ""


def _to_log_in(scope: Scope, problem: Problem, answer: Response) -> Response:
    """People are led to the log-in page; programs are told."""
    if problem.status != 401 or not wants_page(scope):
        return answer
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{LOG_IN}?next={quote(wanted, safe='')}", 303)


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if scope["scheme"] == "https":
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await send(message)

    return sending


def _limited(receive: Receive) -> Receive:
    """A body that says no length is counted."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(413, f"a request has at most {BODY_BYTES_MAX} bytes")
        return message

    return receiving


def _digits(text: str | None) -> str:
    return text if text and text.isascii() and text.isdigit() and len(text) < 16 else "0"
