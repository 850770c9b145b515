"""Mail by SMTP: plain text with an HTML part that says the same."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from html import escape

import aiosmtplib

from stream.contracts.deliveries import Content, Delivery
from stream.errors import ConfigurationError
from stream.settings import EmailSettings, SmtpSettings
from stream.sinks.document import utc
from stream.sinks.notify.channel import Busy, ChannelRefused, MessageRefused, Receipt, remote_id
from stream.sinks.notify.words import line_of_cause, line_of_notice, line_of_row, line_of_run, more_of, title_of

SUBJECT_CHARACTERS = 180
GOODBYE_SECONDS = 2.0


class EmailChannel:
    """Some people's addresses, reached by the configured mail server."""

    def __init__(self, settings: EmailSettings, smtp: SmtpSettings, clean: Callable[[str], str]) -> None:
        if smtp.host is None or smtp.sender is None:
            raise ConfigurationError("mail is wanted but there is no server for it: give smtp.host and smtp.sender")
        self.name = settings.name
        self._to = settings.to
        self._host = smtp.host
        self._sender = smtp.sender
        self._smtp = smtp
        self._clean = clean
        self._tls = _trust(smtp)

    async def send(self, delivery: Delivery) -> Receipt:
        """See `Channel`. The attempt as a whole ends within `smtp.timeout_seconds`, however the server drips."""
        message = mail_of(delivery, self._sender, self._to)
        try:
            refused = await self._transmit(message)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            raise Busy(f"the mail server did not take the mail within {self._smtp.timeout_seconds:g} s") from error
        except aiosmtplib.SMTPException as error:
            raise self._meaning(error) from None  # its text may hold addresses
        except (OSError, ssl.SSLError) as error:
            raise Busy(f"the mail server cannot be reached: {type(error).__name__}") from None
        note = f"{len(refused)} of {len(self._to)} addresses were refused" if refused else None
        return Receipt(250, note)

    async def close(self) -> None:
        """Nothing is kept open between mails."""

    async def _transmit(self, message: EmailMessage) -> Mapping[str, aiosmtplib.SMTPResponse]:
        """Which addresses were refused, of several."""
        smtp = self._smtp
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=smtp.port,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
            use_tls=smtp.security == "tls",
            start_tls=smtp.security == "starttls",
            tls_context=self._tls,
            timeout=smtp.timeout_seconds,
        )
        try:
            async with asyncio.timeout(smtp.timeout_seconds):
                await client.connect()
                refused, _ = await client.sendmail(self._sender, list(self._to), message.as_bytes(policy=WIRE))
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=GOODBYE_SECONDS)  # it has the mail, whatever it answers to this
            return refused
        finally:
            client.close()

    def _meaning(self, error: aiosmtplib.SMTPException) -> Busy | ChannelRefused | MessageRefused:
        code = _code(error)
        said = self._clean(" ".join(_said(error).split()))[:200]
        what = f"the mail server answered {code}" if code else "the mail server failed"
        message = f"{what}: {said or type(error).__name__}"
        if isinstance(error, aiosmtplib.SMTPNotSupported):
            return ChannelRefused(f"{message}. Correct smtp.security.", status=code)
        if code is None or code < 500:
            return Busy(message, status=code)
        if isinstance(error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPSenderRefused):
            return ChannelRefused(f"{message}. Correct smtp.username, smtp.password or smtp.sender.", status=code)
        return MessageRefused(message, status=code)


def mail_of(delivery: Delivery, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail. Its Message-ID and Date are the same at every attempt, so that programs know a repeat."""
    content = delivery.content
    if content is None:
        raise MessageRefused("the message has no content")
    mail = EmailMessage()
    mail["Subject"] = " ".join(title_of(content).split())[:SUBJECT_CHARACTERS]
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(utc(delivery.made_at))
    mail["Message-ID"] = f"<{remote_id(delivery)}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text_of(content))
    mail.add_alternative(html_of(content), subtype="html")
    return mail


def text_of(content: Content) -> str:
    """The plain part."""
    blocks = [[title_of(content)], *_blocks(content), *([[content.link]] if content.link else [])]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def html_of(content: Content) -> str:
    """The HTML part: nothing is loaded from anywhere."""
    blocks = "".join(f"<p>{'<br>'.join(map(escape, block))}</p>\n" for block in _blocks(content))
    link = f'<p><a href="{escape(content.link)}">{escape(content.link)}</a></p>\n' if content.link else ""
    return f"<html><body>\n<h3>{escape(title_of(content))}</h3>\n{blocks}{link}</body></html>\n"


def _blocks(content: Content) -> list[list[str]]:
    rows = [line_of_row(row) for row in content.worst]
    if more := more_of(content):
        rows.append(f"… and {more:,} more")
    said = [line for line in (content.note, line_of_cause(content)) if line]
    blocks = [[line_of_notice(n) for n in content.notices], said, rows, [line_of_run(run) for run in content.runs]]
    return [block for block in blocks if block]


def _trust(smtp: SmtpSettings) -> ssl.SSLContext | None:
    if smtp.security == "none":
        return None
    context = ssl.create_default_context()
    if smtp.ca_file is not None:
        try:
            context.load_verify_locations(smtp.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"smtp.ca_file {smtp.ca_file} cannot be used: {error}") from error
    return context


def _code(error: aiosmtplib.SMTPException) -> int | None:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return max(refused.code for refused in error.recipients)
    return None


def _said(error: aiosmtplib.SMTPException) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return "no address was accepted"
    return error.message
