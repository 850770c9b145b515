"""A browser's session in its cookie: begun and ended."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stream.web.access.gate import session_cookie
from stream.web.access.sessions import COOKIE, LONGEST_MS, Sessions


async def begin_session(sessions: Sessions, request: Request, response: Response, who: str) -> None:
    """A new session in place of the one that the browser has: nobody goes on under a token that was known before.

    Scripts cannot read the cookie, other sites cannot send it along with changes; over HTTPS it travels only there.
    """
    known = session_cookie(request.headers.getlist("cookie"))
    token = await sessions.begin(who)
    if known:
        await sessions.end(known)
    response.set_cookie(
        COOKIE,
        token,
        max_age=LONGEST_MS // 1000,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


async def end_session(sessions: Sessions, request: Request, response: Response) -> None:
    """The session is over, and the browser forgets it. Harmless without one."""
    token = session_cookie(request.headers.getlist("cookie"))
    if token:
        await sessions.end(token)
    response.delete_cookie(COOKIE, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax")
