"""How accounts and contacts make sure that they speak of the same links: a count and a sum of hashes.

Each accounts partition says how many links it holds into each contacts partition; contacts compares with
what has arrived from there. A sum does not depend on order and is kept up by adding and subtracting.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

_MODULUS = 1 << 63


class LinkDigest(msgspec.Struct, frozen=True, array_like=True):
    """`count` links whose hashes add up to `total`."""

    count: int = 0
    total: int = 0

    def plus(self, identity: str, customer: str, version: tuple[int, int]) -> LinkDigest:
        """With one more link."""
        return LinkDigest(self.count + 1, (self.total + _hash(identity, customer, version)) % _MODULUS)

    def minus(self, identity: str, customer: str, version: tuple[int, int]) -> LinkDigest:
        """With one link less."""
        return LinkDigest(self.count - 1, (self.total - _hash(identity, customer, version)) % _MODULUS)


def _hash(identity: str, customer: str, version: tuple[int, int]) -> int:
    text = f"{identity}|{customer}|{version[0]}|{version[1]}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % _MODULUS
