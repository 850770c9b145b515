"""Passwords, kept as argon2id."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stream.errors import BadRecord

SHORTEST = 12
LONGEST = 256


class Passwords:
    """Hashes and verifies. Each takes tens of milliseconds and megabytes: not for the event loop's thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        # Somebody unknown takes as long as a wrong password: how long it took must not tell them apart.
        self._nobody = self._hasher.hash("nobody has this one")

    def hash(self, password: str) -> str:
        """The encoded hash. Raises BadRecord for a password of fewer than 12 or more than 256 characters."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise BadRecord(f"a password has {SHORTEST} to {LONGEST} characters")
        return self._hasher.hash(password)

    def fits(self, encoded: str | None, password: str) -> bool:
        """Whether it is the password; `encoded` None: of somebody who is not known."""
        try:
            return self._hasher.verify(encoded or self._nobody, password) and encoded is not None
        except (VerificationError, InvalidHashError):
            return False
