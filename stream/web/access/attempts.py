"""Attempts at a password: few, for each name and for each place that they come from."""

from __future__ import annotations

from fastapi import Request

from stream.web.access.limits import RateLimit
from stream.web.problems import Problem

ATTEMPTS_A_MINUTE = 10


def seconds_to_wait(request: Request, name: str) -> float:
    """0 when another attempt may be made (which counts), else the seconds until one may."""
    attempts: RateLimit = request.app.state.attempts
    callers = (f"name:{name}", f"from:{request.client.host if request.client else ''}")
    return max(attempts.wait(caller) for caller in callers)


def require_attempt(request: Request, name: str) -> None:
    """Raises Problem 429 after too many."""
    if wait := seconds_to_wait(request, name):
        raise Problem(429, f"too many attempts: wait {wait:.0f} s", headers={"retry-after": str(round(wait) or 1)})
