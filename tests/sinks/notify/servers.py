"""What the notifier talks to, as real servers: an address that behaves like Discord, a receiver of signed webhooks, a
watchdog, and a mail server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default as modern
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream.bootstrap.serving import http

TOKEN = "sEcReT-tOkEn-of-the-webhook"
SIGNING = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
"""Keys of the webhook, in base64."""


def nothing() -> None:
    """A moment at which nothing is to happen."""


@dataclass
class Answer:
    """What a server is told to answer instead of yes. `accepts`: it has taken the message nevertheless."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    accepts: bool = False


@dataclass
class Web:
    """All HTTP receivers on one address. `script`: answers to come, by path; then yes.

    `arriving`, `received`: called with the path's first word before a message is accepted (False: it is not), and
    after that but before the answer.
    """

    address: str = ""
    accepted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)
    script: dict[str, deque[Answer]] = field(default_factory=dict)
    arriving: Callable[[str], bool] = lambda name: True
    received: Callable[[str], None] = lambda name: None

    @property
    def discord(self) -> str:
        return f"{self.address}/discord/{TOKEN}"

    @property
    def hook(self) -> str:
        return f"{self.address}/hook"

    @property
    def heartbeat(self) -> str:
        return f"{self.address}/heartbeat"

    def to(self, name: str) -> list[dict[str, Any]]:
        """What was accepted at a path's first word."""
        return self.accepted.get(name, [])

    def forget(self) -> None:
        """Begin anew."""
        self.accepted, self.asked, self.script = {}, [], {}

    def answers(self, name: str, *answers: Answer) -> None:
        self.script.setdefault(name, deque()).extend(answers)

    async def handle(self, request: Request) -> Response:
        name = request.url.path.split("/")[1]
        self.asked.append((name, time.monotonic()))
        body = await request.body()
        if not self.arriving(name):
            return Response(status_code=503)
        scripted = self.script.get(name)
        if scripted:
            answer = scripted.popleft()
            if answer.accepts:
                self._accept(name, request, body)
            return _response(answer)
        if (refusal := _CHECKS[name](request, body)) is not None:
            return refusal
        self._accept(name, request, body)
        self.received(name)
        return _response(Answer(204 if "wait" not in request.query_params else 200, body={"id": "1"}))

    def _accept(self, name: str, request: Request, body: bytes) -> None:
        said = json.loads(body) if body else {}
        self.accepted.setdefault(name, []).append({"body": said, "headers": dict(request.headers), "raw": body})


def _response(answer: Answer) -> Response:
    if answer.body is None or answer.status == 204:
        return Response(status_code=answer.status, headers=answer.headers)
    return JSONResponse(answer.body, answer.status, answer.headers)


def discord_complaint(body: dict[str, Any]) -> str | None:
    """What Discord would find wrong with a message: its documented limits, counted in characters."""
    embeds = body.get("embeds", [])
    if not body.get("content") and not embeds:
        return "Cannot send an empty message"
    limits = (("title", 256), ("description", 4096))
    total = 0
    for embed in embeds:
        for name, limit in limits:
            total += len(embed.get(name, ""))
            if len(embed.get(name, "")) > limit:
                return f"{name} too long"
        footer, fields = embed.get("footer", {}).get("text", ""), embed.get("fields", [])
        if len(footer) > 2048 or len(fields) > 25:
            return "footer or fields too long"
        total += len(footer) + sum(len(f["name"]) + len(f["value"]) for f in fields)
    return "Embed size exceeds maximum size of 6000" if total > 6000 or len(embeds) > 10 else None


def _check_discord(request: Request, body: bytes) -> Response | None:
    if not request.url.path.endswith(TOKEN):
        return JSONResponse({"message": "Invalid Webhook Token", "code": 50027}, 401)
    complaint = discord_complaint(json.loads(body))
    return None if complaint is None else JSONResponse({"message": complaint, "code": 50035}, 400)


def verified(headers: dict[str, str], body: bytes, key: str, now: float) -> bool:
    """Whether a message is genuine, by the text of the Standard Webhooks specification alone."""
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest()).decode()
    given = [each.split(",", 1) for each in headers["webhook-signature"].split(" ")]
    fresh = abs(now - int(headers["webhook-timestamp"])) < 300
    return fresh and any(kind == "v1" and hmac.compare_digest(value, expected) for kind, value in given)


def _check_hook(request: Request, body: bytes) -> Response | None:
    headers = dict(request.headers)
    return None if verified(headers, body, SIGNING[0], time.time()) else Response(status_code=401)


_CHECKS: dict[str, Callable[[Request, bytes], Response | None]] = {
    "discord": _check_discord,
    "hook": _check_hook,
    "heartbeat": lambda request, body: None,
}


@contextlib.asynccontextmanager
async def web_servers() -> AsyncIterator[Web]:
    web = Web()
    app = Starlette(routes=[Route("/{path:path}", web.handle, methods=["GET", "POST"])])
    async with http(app, "127.0.0.1", 0) as address:
        web.address = address
        yield web


@dataclass
class Mail:
    """A mail server. `closed`: it takes nothing now. `received`: called when a mail is there but not confirmed."""

    port: int = 0
    mails: list[EmailMessage | Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuses: deque[str] = field(default_factory=deque)
    closed: bool = False
    received: Callable[[], None] = nothing
    encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        if self.refuses:
            return self.refuses.popleft()
        if self.closed:
            return "451 not now"
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=modern))
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        self.received()
        return "250 OK"


USER, PASSWORD = "loyalty", "sEcReT-of-the-mail-server"


@contextlib.asynccontextmanager
async def mail_server(folder: Path) -> AsyncIterator[Mail]:
    """A real one that takes mail after STARTTLS and a login only; `folder/ca.pem` is its authority."""
    mail = Mail()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        mail.logins.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)

    def protocol() -> SMTP:
        return SMTP(mail, tls_context=context, require_starttls=True, auth_required=True, authenticator=login)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        mail.port = server.sockets[0].getsockname()[1]
        yield mail
