"""Discord: a message as one embed, within Discord's limits.

Source of limits and of `allowed_mentions`: https://discord.com/developers/docs/resources/message ("Embed Limits",
"Allowed Mentions Object"). A webhook knows no nonce that Discord would check, so the message's id stands in the
embed's footer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from stream.contracts.alerts import AlertKind
from stream.contracts.deliveries import Content, Delivery, Row
from stream.settings import DiscordSettings
from stream.sinks.document import iso, utc
from stream.sinks.notify.channel import MessageRefused, Receipt, remote_id
from stream.sinks.notify.http import PAUSING, Address
from stream.sinks.notify.links import case_page
from stream.sinks.notify.words import (
    current_counts,
    line_of_cause,
    line_of_notice,
    line_of_resolved,
    lines_of_runs,
    more_of,
    sides_of,
)

TITLE_CHARACTERS = 256
DESCRIPTION_CHARACTERS = 4096
FIELDS = 25
FIELD_NAME_CHARACTERS = 256
FIELD_VALUE_CHARACTERS = 1024
FOOTER_CHARACTERS = 2048
EMBED_CHARACTERS = 6000

RED, AMBER, GREEN = 0xC0392B, 0xE67E22, 0x27AE60
_ALARMING = frozenset({AlertKind.RUN_FAILED, AlertKind.PROVIDER_UNAVAILABLE, AlertKind.PARTITION_STOPPED})
_MARKDOWN = re.compile(r"([\\*_~`|>\[\]()<@])")


class DiscordChannel:
    """A channel's webhook. 404 is Discord's word for a webhook that was deleted."""

    def __init__(self, settings: DiscordSettings, clean: Callable[[str], str]) -> None:
        self.name = settings.name
        url = settings.url.get_secret_value()
        wait = "&" if "?" in url else "?"  # with wait=true it answers when the message is saved, not before
        self._address = Address(
            "Discord",
            f"{url}{wait}wait=true",
            settings.timeout_seconds,
            clean,
            pausing=PAUSING | {HTTPStatus.NOT_FOUND},
        )

    async def send(self, delivery: Delivery) -> Receipt:
        """See `Channel`."""
        body = msgspec.json.encode(webhook_body(delivery))
        return await self._address.ask("POST", body=body, headers={"Content-Type": "application/json"})

    async def close(self) -> None:
        """See `Channel`."""
        await self._address.close()


def webhook_body(delivery: Delivery) -> dict[str, object]:
    """The message as Discord takes it. Nobody is pinged, whatever its texts hold."""
    return {"embeds": [embed_of(delivery)], "allowed_mentions": {"parse": []}}


def embed_of(delivery: Delivery) -> dict[str, object]:
    """Title, lines and footer. What does not fit is cut at a line's end, with a sign that it was."""
    content = delivery.content
    if content is None:
        raise MessageRefused("the message has no content")
    title = _cut(escaped(delivery.title), TITLE_CHARACTERS)
    footer = _cut(remote_id(delivery), FOOTER_CHARACTERS)
    room = min(DESCRIPTION_CHARACTERS, EMBED_CHARACTERS - _units(title) - _units(footer))
    embed: dict[str, object] = {
        "title": title,
        "color": _color(content),
        "timestamp": iso(utc(delivery.made_at)),
        "footer": {"text": footer},
    }
    optional = {"description": _fitting(_lines(content), room), "url": content.link}
    return embed | {name: text for name, text in optional.items() if text}


def escaped(text: str) -> str:
    """Text that Discord shows as it stands: no formatting, no mention, no link with other words than its address."""
    return _MARKDOWN.sub(r"\\\1", text)


def _lines(content: Content) -> list[str]:
    lines = [escaped(content.note)] if content.note else []
    lines += [escaped(line_of_notice(notice, content.time_zone)) for notice in content.notices]
    lines += [f"• {_linked(row, content)}: {escaped(sides_of(row))}" for row in content.worst]
    if more := more_of(content):
        lines.append(f"… and {more:,} more")
    said = [line_of_cause(content), line_of_resolved(content), *lines_of_runs(content)]
    return lines + [escaped(line) for line in said if line]


def _linked(row: Row, content: Content) -> str:
    page = case_page(content.link, row.case)
    return f"[{escaped(row.customer)}]({page})" if page else escaped(row.customer)


def _fitting(lines: list[str], room: int) -> str:
    text, left = "", len(lines)
    for line in lines:
        longer = f"{text}\n{line}" if text else line
        if _units(longer) > room - 30:  # leaves room for what says that there is more
            rest = f"… {left} more lines"
            return f"{text}\n{rest}" if text else rest
        text, left = longer, left - 1
    return text


def _cut(text: str, characters: int) -> str:
    if _units(text) <= characters:
        return text
    while _units(text) > characters - 1:
        text = text[:-1]
    return text.rstrip("\\") + "…"


def _units(text: str) -> int:
    """Characters as a counter in UTF-16 counts them, which is never fewer than any other does."""
    return len(text.encode("utf-16-le")) // 2


def _color(content: Content) -> int:
    if _ALARMING & current_counts(content).keys():
        return RED
    return AMBER if content.worst else GREEN
