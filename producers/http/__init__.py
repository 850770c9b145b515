"""HTTP to vendors: retry, rate budget, token renewal and breaker, shared by all vendor clients.

A vendor client is built from `VendorHttp`, a `Budget` and an `Authorization` (or `FixedHeaders`). Calls return an
`Answer` or raise one of the `VendorError` tree:

    Unavailable            after retries; carries retry_after where the vendor named it
    ├── Open               the breaker is open: nothing was sent
    Refused                credentials, permission, a wrong address
    └── Rejected           this very request
        └── NotFound       404
    Unreadable
    └── UnreadableAnswer   not JSON, or cut off, several times in a row; carries the bytes
"""

from producers.http.answers import Answer
from producers.http.authorization import Authorization, FixedHeaders
from producers.http.breaker import Breaker
from producers.http.budget import Budget, Rate
from producers.http.client import VendorHttp
from producers.http.clock import Clock
from producers.http.failures import NotFound, Open, Rejected, Throttled, UnreadableAnswer

__all__ = [
    "Answer",
    "Authorization",
    "Breaker",
    "Budget",
    "Clock",
    "FixedHeaders",
    "NotFound",
    "Open",
    "Rate",
    "Rejected",
    "Throttled",
    "UnreadableAnswer",
    "VendorHttp",
]
