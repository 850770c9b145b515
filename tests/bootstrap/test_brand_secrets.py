"""What a brand document keeps secret is secret here, too."""

from __future__ import annotations

import io

import structlog

from stream.bootstrap.brand import with_brands
from stream.ops.logging import configure_logging
from tests.bootstrap.test_brand import POS, configured, put
from tests.ops.logging_as_it_was import logging_as_it_was

__all__ = ["logging_as_it_was"]


async def test_the_passwords_of_a_brand_document_are_not_logged(firestore_project: str) -> None:
    target = io.StringIO()
    configure_logging(to=target)
    put(firestore_project, {"posConfig": POS | {"password": "from-the-document", "pin": "654321"}})
    await with_brands(configured(firestore_project))
    structlog.get_logger("stream.x").info("logging in with from-the-document and 654321")
    assert "logging in" in target.getvalue()
    assert "from-the-document" not in target.getvalue()
    assert "654321" not in target.getvalue()
