"""Identities: what a customer at the point of sale and a member at the provider are recognised by.

An identity is `kind:hash`. The hash is keyed with a secret that never leaves this installation, so that lasting
topics can be joined on phones and e-mail addresses without holding any. Kinds, from the best evidence to the weakest:
`code` (Alleaves' `alpine_user_code`, which is the provider's contact id), `phone` (E.164), `email`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import phonenumbers

from stream.contracts.names import Identity
from stream.errors import ConfigurationError

KEY_BYTES = 32
HASH_HEX_DIGITS = 32
"""128 bits: no two of a billion identities meet by chance."""
MAX_EMAIL_CHARACTERS = 254

_EMAIL = re.compile(r"[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+\.[^\s@.\x00-\x1f]+")
_NO_CODES = frozenset({"", "0", "null", "none"})
"""How a point of sale writes that there is no code."""


@dataclass(frozen=True)
class IdentityKey:
    """The secret behind every identity. Another key means other identities: every link and balance is lost."""

    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without revealing one."""
        return hashlib.sha256(b"identity key fingerprint:" + self.secret).hexdigest()[:32]

    @classmethod
    def load_or_create(cls, path: Path) -> IdentityKey:
        """The key in the file `path`; made at the first start (mode 0600, fingerprint in a file beside it).

        Raises ConfigurationError when the key is not the one of the first start, is missing though a
        fingerprint remains, cannot be read, or may be read by others.
        """
        kept = path.with_name(path.name + ".fingerprint")
        try:
            if not path.exists() and not kept.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _create(path, secrets.token_hex(KEY_BYTES))
            key = cls(_read_secret(path))
            _create(kept, key.fingerprint)
            expected = kept.read_text().strip()
        except OSError as error:
            raise ConfigurationError(
                f"the identity key {path} cannot be used: {error.strerror or error}. Put the key of the first start "
                f"back (from a backup). {_REBUILD}"
            ) from error
        key.require(expected, str(path))
        return key

    def require(self, fingerprint: str, where: str) -> None:
        """Raise ConfigurationError when this key is not the one with that fingerprint."""
        if fingerprint != self.fingerprint:
            raise ConfigurationError(
                f"the identity key in {where} has fingerprint {self.fingerprint}; this installation was started "
                f"with {fingerprint}. Put that key back. {_REBUILD}"
            )


_REBUILD = (
    "Changing the identity key is a rebuild: all identities, links and balances start anew, under another kafka.prefix."
)


class Identities:
    """Makes identities of what vendors write. `region`: the country of phone numbers written without one."""

    def __init__(self, key: IdentityKey, region: str = "US") -> None:
        self._secret = key.secret
        self._region = region

    def of(self, code: str | None, phones: Iterable[str | None], email: str | None) -> tuple[Identity, ...]:
        """Every identity of somebody, best evidence first, each once. What cannot be read gives none."""
        found = [("code", normalised_code(code))]
        found += [("phone", self.e164(phone)) for phone in phones]
        found.append(("email", normalised_email(email)))
        return tuple(dict.fromkeys(self._identity(kind, value) for kind, value in found if value is not None))

    def e164(self, phone: str | None) -> str | None:
        """`phone` as `+15551234567`; None when it is not a possible number of its country.

        Possible is judged by length: numbering plans change faster than any list of valid numbers.
        """
        if not phone:
            return None
        try:
            number = phonenumbers.parse(phone, self._region)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_possible_number(number):
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def _identity(self, kind: str, value: str) -> Identity:
        digest = hmac.digest(self._secret, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256")
        return Identity(f"{kind}:{digest.hex()[:HASH_HEX_DIGITS]}")


def normalised_code(code: str | None) -> str | None:
    """A contact id without surrounding space; None when it stands for none."""
    stripped = (code or "").strip()
    return None if stripped.lower() in _NO_CODES else stripped


def normalised_email(email: str | None) -> str | None:
    """An address in lower case without surrounding space; None when it cannot be one."""
    stripped = (email or "").strip().lower()
    if len(stripped) > MAX_EMAIL_CHARACTERS or not _EMAIL.fullmatch(stripped):
        return None
    return stripped


def _create(path: Path, text: str) -> None:
    """Write a new file, whole or not at all; do nothing when it exists. Several processes may do so at once."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its key is the key
    finally:
        draft.unlink(missing_ok=True)


def _read_secret(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"the identity key {path} may be read by others: run `chmod 600 {path}`")
    try:
        secret = bytes.fromhex(path.read_text())
    except ValueError as error:
        raise ConfigurationError(
            f"the identity key {path} does not hold hexadecimal digits. Put the key of the first start back. {_REBUILD}"
        ) from error
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(
            f"the identity key {path} holds {len(secret)} bytes instead of {KEY_BYTES}. {_REBUILD}"
        )
    return secret
