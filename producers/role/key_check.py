"""The identity key of an org, as the log remembers it: a producer on another machine must have the same."""

from __future__ import annotations

from producers.cursors import Cursors
from producers.identity import IdentityKey
from stream.contracts.cursors import Cursor
from stream.contracts.names import OrgId

CURSOR = "identity-key"
_FINGERPRINT = "fingerprint"


async def require_same_key(key: IdentityKey, org: OrgId, cursors: Cursors) -> None:
    """Remember the key's fingerprint the first time; afterwards raise ConfigurationError when it is another."""
    cursor = await cursors.load(org, CURSOR)
    if cursor is None:
        await cursors.save(org, CURSOR, Cursor(through=0, detail={_FINGERPRINT: key.fingerprint}))
    else:
        key.require(cursor.detail.get(_FINGERPRINT, ""), f"data_dir (org {org})")
