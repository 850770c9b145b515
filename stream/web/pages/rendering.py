"""Templates and what they need to write things: everything is escaped, names are isolated and cut visibly."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stream.loyalty.money import decimal_string, digits_of
from stream.web.pages import words

FOLDER = Path(__file__).resolve().parent.parent
TEMPLATES = FOLDER / "templates"
ASSETS = FOLDER / "static"
NAME_CHARACTERS = 60
TEXT_CHARACTERS = 2000
_COLOUR = re.compile(r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?")
_POP, _POP_ISOLATE = "\u202c", "\u2069"
_OPENERS = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", _POP),
    **dict.fromkeys("\u2066\u2067\u2068", _POP_ISOLATE),
}
_SYMBOLS = {"USD": "$", "CAD": "CA$", "EUR": "€", "GBP": "£"}


@cache
def environment() -> Environment:
    """The templates, ready to be rendered. Undefined names are faults, not empty text."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "points": words.number,
        "signed": words.signed,
        "counted": words.counted,
        "name": name,
        "text": text,
        "money": money,
        "colour": colour,
        "json_data": json_data,
    }
    made.globals |= {"asset": asset, "words": words}
    return made


def document(template: str, **model: object) -> str:
    """A template with its model, as HTML."""
    return environment().get_template(template).render(**model)


def name(value: str | None, characters: int = NAME_CHARACTERS) -> Markup:
    """Somebody's name, or any word from outside: isolated from the text around it, and cut where it is too long."""
    return _isolated(value or "", characters)


def text(value: str | None, characters: int = TEXT_CHARACTERS) -> Markup:
    """A longer text from outside, likewise."""
    return _isolated(value or "", characters)


def money(minor: int, currency: str) -> str:
    """`$39.55`, `−$0.05`, `39.55 XYZ`"""
    digits = digits_of(currency)
    amount = decimal_string(abs(minor), digits)
    whole, dot, rest = amount.partition(".")
    amount = f"{int(whole):,}{dot}{rest}"
    sign = "−" if minor < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {currency}"


def colour(value: str) -> str:
    """A colour from the settings; grey for anything else."""
    return value if _COLOUR.fullmatch(value) else "#94a0ab"


def json_data(value: object) -> str:
    """For a `data-` attribute, where the template escapes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@cache
def asset(path: str) -> str:
    """The address of a packaged file, another one when its content changes."""
    digest = hashlib.sha256((ASSETS / path).read_bytes()).hexdigest()[:12]
    return f"/assets/{path}?v={digest}"


def _isolated(value: str, characters: int) -> Markup:
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") else each for each in value)
    if len(plain) <= characters:
        return Markup("<bdi>{}</bdi>").format(balanced(plain))
    cut, length = balanced(plain[:characters] + "…"), f"{len(plain):,}"
    return Markup('<bdi>{}</bdi> <span class="meta">({} characters)</span>').format(cut, length)


def balanced(value: str) -> str:
    """The text with every direction that it opens closed again: what it leaves open would reach beyond its `<bdi>`,
    whose own end would be taken for that of the last one (UAX #9, BD9)."""
    kept: list[str] = []
    closers: list[str] = []
    for each in value:
        if each in _OPENERS:
            closers.append(_OPENERS[each])
        elif each in (_POP, _POP_ISOLATE):
            if closers[-1:] != [each]:
                continue
            closers.pop()
        kept.append(each)
    return "".join([*kept, *reversed(closers)])
