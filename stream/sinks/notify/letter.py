"""A message as a mail: plain text, with an HTML part that says the same. Nothing in it is loaded from anywhere."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from stream.contracts.deliveries import Delivery
from stream.sinks.document import utc
from stream.sinks.notify import words
from stream.sinks.notify.channel import MessageRefused, remote_id
from stream.sinks.notify.links import case_page

SUBJECT_CHARACTERS = 180
FORM = Path(__file__).with_name("letter.html")


def mail_of(delivery: Delivery, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail. Its Message-ID and Date are the same at every attempt, so that programs know a repeat."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(delivery.title.split())[:SUBJECT_CHARACTERS]
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(utc(delivery.made_at))
    mail["Message-ID"] = f"<{remote_id(delivery)}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text_of(delivery))
    mail.add_alternative(html_of(delivery), subtype="html")
    return mail


def text_of(delivery: Delivery) -> str:
    """The plain part."""
    content = delivery.content
    if content is None:
        raise MessageRefused("the message has no content")
    blocks = [[delivery.title], *words.blocks_of(content), *([[content.link]] if content.link else [])]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def html_of(delivery: Delivery) -> str:
    """The HTML part."""
    if delivery.content is None:
        raise MessageRefused("the message has no content")
    return _form().render(title=delivery.title, content=delivery.content, words=words, case_page=case_page)


@cache
def _form() -> Template:
    environment = Environment(
        loader=FileSystemLoader(FORM.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(FORM.name)
