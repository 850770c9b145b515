"""Who we are, to a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from producers.http.client import VendorHttp


class Authorization(Protocol):
    """Yields the headers of each request. Both methods may call the vendor (`http.call(…, authorized=False)`)."""

    async def headers(self, http: VendorHttp) -> Mapping[str, str]:
        """Headers for the next request, renewed beforehand when they are about to expire."""

    async def renew(self, http: VendorHttp, refused: Mapping[str, str]) -> bool:
        """The vendor answered 401 to `refused`. True when `headers` now gives others: they are renewed once, however
        many calls ask for it at the same time."""


class FixedHeaders:
    """An API key: the same headers for ever."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def headers(self, http: VendorHttp) -> Mapping[str, str]:
        return self._headers

    async def renew(self, http: VendorHttp, refused: Mapping[str, str]) -> bool:
        return False
