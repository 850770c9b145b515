"""Phone numbers as people say them, and contact data as those see it who may not."""

from __future__ import annotations

import phonenumbers

DEFAULT_REGION = "US"
CHARACTERS_MAX = 64
HIDDEN = "•••"


def e164(text: str, region: str = DEFAULT_REGION) -> str | None:
    """`text` as `+15551234567`, read as in `region` where it names no country; None when it is no possible number."""
    if len(text) > CHARACTERS_MAX:
        return None
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def masked_phone(phone: str) -> str:
    """The last four digits, enough to ask "does it end in …?"."""
    return f"{HIDDEN}{phone[-4:]}" if len(phone) > 6 else HIDDEN


def masked_email(email: str) -> str:
    """The first letter and the top-level domain."""
    return f"{email[:1]}{HIDDEN}@{HIDDEN}.{email.rpartition('.')[2]}" if "@" in email else HIDDEN
