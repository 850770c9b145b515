"""The packaged files: styles, scripts and their licences. Addresses name their content, so browsers may keep them."""

from __future__ import annotations

import mimetypes

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from stream.web.pages.rendering import ASSETS
from stream.web.pages.routes import PageRoute
from stream.web.problems import not_found

KEPT = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=300"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/assets/{path:path}")
def packaged(request: Request, path: str) -> Response:
    """One file; only those that are packaged."""
    if "\0" in path:  # no file's name has it, and asking for one fails
        raise not_found("the file")
    file = (ASSETS / path).resolve()
    if not file.is_relative_to(ASSETS) or not file.is_file():
        raise not_found("the file")
    kind = mimetypes.guess_type(file.name)[0] or "text/plain"
    kept = KEPT if request.query_params.get("v") else BRIEFLY
    return FileResponse(file, media_type=kind, headers={"cache-control": kept})
