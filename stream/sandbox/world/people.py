"""Names and contact data. Phones are numbers reserved for fiction, addresses are under example.com."""

from __future__ import annotations

import re
from random import Random


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "Ana Ben Carla Dev Elena Finn Grace Hugo Imani Jonas Kira Liam Maya Noor Omar Priya Quinn Rosa Sam Tara Uma "
    "Viktor Wren Xavier Yara Zane Alicia Boris Chen Dara Emeka Fatima Gil Hana Ivo Jada Kofi Lena Marco Nina"
)
LAST = _words(
    "Abbott Baker Castro Diaz Evans Fischer Garcia Hill Ito Jensen Khan Lopez Martin Nguyen Okafor Patel Quiroz "
    "Reyes Silva Turner Ueda Vargas Walker Xu Young Zhang Brooks Cole Drake Ellis Frost Grant Hayes Irwin Joshi"
)
HOSTILE_NAMES = (
    ("Зоя", "Иванова"),
    ("李", "小龍"),
    ("محمد", "الأحمد"),
    ("🌿🔥", "👩‍🚀"),
    ("<script>alert(1)</script>", "<b>Bold</b>"),
    ("Robert'); DROP TABLE customers;--", "O'Brien"),
    ("\u202eevil", "\u200f\u200b"),
    ("A" * 5_000, "B"),
    ("", ""),
    ("   ", "\t\n"),
    ("Zalgo\u0300\u0301\u0302\u0303\u0304", "e\u0301"),
    ("null", "undefined"),
    ("%s%n{0}", "${jndi:x}"),
    ("\u0000\u0007", "\\u0000"),
)
_AREAS = _words(
    "212 213 215 216 248 253 303 305 312 313 314 323 347 360 401 404 405 406 410 412 413 415 425 469 480 503 505 "
    "509 510 512 513 516 518 541 559 570 571 585 602 603 607 609 612 614 615 616 617 619 626 630 631 646 650 651"
)
_STYLES = (
    "({0}) {1}-{2}",
    "{0}{1}{2}",
    "{0}-{1}-{2}",
    "+1{0}{1}{2}",
    "1 {0} {1} {2}",
    "{0}.{1}.{2}",
    "+1 ({0}) {1}-{2}",
)


def name(rng: Random) -> tuple[str, str]:
    return rng.choice(FIRST), rng.choice(LAST)


def phone(number: int) -> str:
    """The ten digits of the `number`-th phone: 555-0100 to 555-0199 of every area first, then 555-0200 on."""
    line, area = divmod(number, len(_AREAS))
    return f"{_AREAS[area]}555{(100 + line) % 10_000:04d}"


def email(first: str, last: str, number: int) -> str:
    """A valid address, whatever the name is: at most 64 characters before the `@` (RFC 5321, 4.5.3.1.1)."""
    words = (re.sub(r"[^a-z0-9]", "", part.lower())[:20] for part in (first, last))
    return f"{'.'.join(filter(None, words)) or 'customer'}{number}@example.com"


def written(digits: str, style: int) -> str:
    """A phone as somebody typed it."""
    return _STYLES[style % len(_STYLES)].format(digits[:3], digits[3:6], digits[6:])


def mixed_case(address: str, style: int) -> str:
    """An address as somebody typed it: the same one in another case."""
    return (address, address.title(), address.upper())[style % 3]
