"""Mail by SMTP: one attempt, and what the server's answer means."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP as WIRE

import aiosmtplib

from stream.contracts.deliveries import Delivery
from stream.errors import ConfigurationError
from stream.settings import EmailSettings, SmtpSettings
from stream.sinks.notify.channel import Busy, ChannelRefused, MessageRefused, Receipt
from stream.sinks.notify.letter import mail_of

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
