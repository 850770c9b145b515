"""The session's cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stream.web.access.sessions import COOKIE, LONGEST_MS


def set_session(response: Response, token: str, request: Request) -> None:
    """Scripts cannot read it, other sites cannot send it along with changes; over HTTPS it travels only there."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=LONGEST_MS // 1000,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, request: Request) -> None:
    """The browser forgets it."""
    response.delete_cookie(COOKIE, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax")
