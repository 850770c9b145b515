"""Changing one's own password."""

from __future__ import annotations

import asyncio

from fastapi import Request

from stream.web.access.attempts import require_attempt
from stream.web.access.principals import Principal
from stream.web.problems import Problem
from stream.web.site import Site


async def change_own_password(request: Request, site: Site, caller: Principal, *, current: str, new: str) -> None:
    """Publish the new one, which ends every session of theirs.

    Raises Problem: 403 where the caller has no password or it is not `current`, 429 after too many attempts; BadRecord
    for a new one that cannot be.
    """
    name = caller.account
    if name is None:
        raise Problem(403, "that is for people, who log in by name: keys are made anew")
    require_attempt(request, name)
    if await asyncio.to_thread(site.authenticator.by_password, name, current) is None:
        raise Problem(403, "that is not your current password")
    if new == current:
        raise Problem(422, "the new password is the current one: choose another")
    await site.access.change_password(name, new, by=caller.id)
