"""One's own password, changed."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.errors import BadRecord
from stream.web.access.cookies import begin_session
from stream.web.access.own_password import change_own_password
from stream.web.access.passwords import LONGEST, SHORTEST
from stream.web.pages.page import page_of, rendered
from stream.web.pages.routes import PageRoute, form_of, see
from stream.web.problems import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/password")
def form(request: Request) -> Response:
    """Ask for the current one and the new one."""
    return _form(request)


@router.post("/password")
async def change(request: Request) -> Response:
    """Change it; other sessions end, this one goes on."""
    fields = await form_of(request)
    page = await asyncio.to_thread(page_of, request)
    current, new, again = (fields.get(name, [""])[0] for name in ("current", "new", "again"))
    if new != again:
        return await asyncio.to_thread(_form, request, "The new password and its repetition differ.", 422)
    try:
        await change_own_password(request, page.site, page.caller, current=current[: LONGEST + 1], new=new)
    except (Problem, BadRecord) as wrong:
        status = wrong.status if isinstance(wrong, Problem) else 422
        return await asyncio.to_thread(_form, request, _sentence(str(wrong)), status)
    answer = see(page.link("/password", done="password"))
    await begin_session(page.site.sessions, request, answer, page.caller.id)
    return answer


def _form(request: Request, failed: str | None = None, status: int = 200) -> Response:
    return rendered(page_of(request), "password.html", status, failed=failed, shortest=SHORTEST, longest=LONGEST)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
