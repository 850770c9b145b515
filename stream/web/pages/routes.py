"""How a page's route fails: as a page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from stream.errors import BadRecord, Unreachable
from stream.web.pages.rendering import document
from stream.web.problems import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
FIELDS_MAX = 1000

_TITLES = {
    401: "Log in",
    403: "You may not do that",
    404: "There is no such page",
    409: "That came too late",
    412: "Somebody was faster",
    413: "That is too much",
    422: "That cannot be",
    503: "Not available",
}


class PageRoute(APIRoute):
    """Answers every failure with a page that says what to do."""

    def get_route_handler(self) -> Handler:
        """The handler, with failures as pages."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except Problem as error:
                return problem_page(error.status, error.detail, error.headers)
            except HTTPException as error:
                return problem_page(error.status_code, str(error.detail))
            except BadRecord as error:
                return problem_page(422, str(error))
            except Unreachable as error:
                return problem_page(503, str(error), {"retry-after": "5"})

        return handler


def problem_page(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """What went wrong, and what to do, as a page."""
    title = _TITLES.get(status, "Something went wrong")
    return HTMLResponse(document("problem.html", status=status, title=title, detail=detail), status, headers=headers)


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form (`application/x-www-form-urlencoded`). Raises Problem 422 where it is none."""
    try:
        text = (await request.body()).decode()
        return parse_qs(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Problem(422, "the form cannot be read") from error


def field(form: dict[str, list[str]], name: str, default: str = "") -> str:
    """One field of a form, without the space around it."""
    return form.get(name, [default])[0].strip()


def see(address: str) -> Response:
    """Go there, after a change."""
    return RedirectResponse(address, 303)
