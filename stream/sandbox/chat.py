"""A channel of a chat that takes Discord's webhooks, so that the demo's messages arrive somewhere one can see."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_MARKDOWN_LINK = re.compile(r"\[((?:\\.|[^\]\\])*)\]\([^)]*\)")
_ESCAPED = re.compile(r"\\(.)")


class Embed(msgspec.Struct):
    """What is shown of a message."""

    title: str = ""
    description: str = ""


class Message(msgspec.Struct):
    """As Discord's webhooks take it; only embeds are used here."""

    embeds: list[Embed] = msgspec.field(default_factory=list)


class Chat:
    """The channel. `told` gets the lines of each message as a person would read them."""

    def __init__(self, told: Callable[[list[str]], None]) -> None:
        self._told = told
        self._path = f"/api/webhooks/1/{secrets.token_urlsafe(16)}"
        self.app = Starlette(routes=[Route(self._path, self._take, methods=["POST"])])

    def webhook(self, root: str) -> str:
        """The webhook's address, where the app is served at `root`. Whoever knows it may write."""
        return root + self._path

    async def _take(self, request: Request) -> Response:
        try:
            message = msgspec.json.decode(await request.body(), type=Message)
        except msgspec.DecodeError as error:
            return JSONResponse({"message": str(error), "code": 50109}, 400)
        for embed in message.embeds:
            self._told([plain(line) for line in (embed.title, *embed.description.splitlines()) if line])
        return (
            JSONResponse({"id": str(secrets.randbits(60))})
            if _waits(request.query_params)
            else Response(status_code=204)
        )


def plain(text: str) -> str:
    """Discord's Markdown as it is read: links by their words, escaped characters by themselves."""
    return _ESCAPED.sub(r"\1", _MARKDOWN_LINK.sub(r"\1", text))


def _waits(query: Mapping[str, str]) -> bool:
    return query.get("wait") == "true"
