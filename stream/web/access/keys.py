"""API keys: `loyalty_ID_SECRET`. The secret is random and shown once; what is kept is its SHA-256.

A plain hash is enough for 256 random bits: there is nothing to guess that a slower one would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from stream.contracts.access import ApiKey, Role
from stream.errors import ConfigurationError

PREFIX = "loyalty"
DAY_MS = 86_400_000
DEFAULT_DAYS = 365
_TOKEN = re.compile(rf"{PREFIX}_([a-z0-9]{{8,16}})_([A-Za-z0-9_-]{{32,64}})")


def new_key(*, name: str, role: Role, by: str, now: int, days: int | None = DEFAULT_DAYS) -> tuple[ApiKey, str]:
    """A key and its token, which is nowhere else. `days` None: it does not expire."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    expires_at = None if days is None else now + days * DAY_MS
    key = ApiKey(
        id=key_id, name=name, role=role, hash=hashed(secret), created_at=now, created_by=by, expires_at=expires_at
    )
    return key, f"{PREFIX}_{key_id}_{secret}"


def split(token: str) -> tuple[str, str] | None:
    """Id and secret of a token; None when it is none."""
    match = _TOKEN.fullmatch(token)
    return (match[1], match[2]) if match else None


def fits(key: ApiKey, secret: str, now: int) -> bool:
    """Whether the secret is the key's, and the key is neither revoked nor expired (`now`: UTC ms)."""
    ended = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)
    return hmac.compare_digest(key.hash, hashed(secret)) and not ended


def hashed(secret: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def local_key(path: Path) -> str:
    """The key of whoever may read the data folder: made at the first start, mode 0600.

    Raises ConfigurationError when others may read it too, or it cannot be used.
    """
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(file, "w") as fresh:
                fresh.write(secrets.token_urlsafe(32))
        return read_local_key(path)
    except OSError as error:
        raise ConfigurationError(f"the local key {path} cannot be used: {error.strerror or error}") from error


def read_local_key(path: Path) -> str:
    """The local key. Raises ConfigurationError when others may read it, or it is empty; OSError when it is missing."""
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"the local key {path} may be read by others: chmod 600 {path}, or delete it.")
    key = path.read_text().strip()
    if len(key) < 32:
        raise ConfigurationError(f"the local key {path} is damaged: delete it, a new one is made at the next start.")
    return key
