from __future__ import annotations

import pytest

from stream.ops.redaction import REDACTED, Redaction


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail jane.doe+x@mail.example.com now", f"mail {REDACTED} now"),
        ("mail to:<jane@localhost>, now", f"mail to:<{REDACTED}>, now"),
        ("call +15551234567", f"call {REDACTED}"),
        ("call +1 (555) 123-4567 today", f"call {REDACTED} today"),
        ("call (555) 123-4567", f"call {REDACTED}"),
        ("call 555-123-4567.", f"call {REDACTED}."),
        ("sent Bearer abcdefgh.ijkl", f"sent Bearer {REDACTED}"),
        ("used hunter2-long", f"used {REDACTED}"),
        ("offset 5551234567 at 1769804518003", "offset 5551234567 at 1769804518003"),
        ("at 2026-01-30T20:21:58Z on 127.0.0.1:9092", "at 2026-01-30T20:21:58Z on 127.0.0.1:9092"),
        ("run brand_example:daily:2026-01-30", "run brand_example:daily:2026-01-30"),
    ],
)
def test_private_parts_of_a_text_are_replaced_and_ids_and_times_are_not(text: str, shown: str) -> None:
    assert Redaction(["hunter2-long", "1234"]).text(text) == shown


@pytest.mark.parametrize(
    "key",
    ["password", "api_key", "apikey", "pin", "token", "access_token", "Authorization", "phone", "email", "mobilePhone"],
)
def test_private_keys_hide_their_value(key: str) -> None:
    assert Redaction().entry({key: "1234", "customer": "3528"}) == {key: REDACTED, "customer": "3528"}


@pytest.mark.parametrize("key", ["mapping", "shipping", "passed", "name", "customer", "partition"])
def test_keys_that_only_look_private_keep_their_value(key: str) -> None:
    assert Redaction().entry({key: "x"}) == {key: "x"}


def test_nested_values_are_redacted_and_bytes_are_only_counted() -> None:
    entry = {"rows": [{"email": "a@b.example", "note": "from a@b.example"}], "raw": b"a@b.example", "count": 3}
    assert Redaction().entry(entry) == {
        "rows": [{"email": REDACTED, "note": f"from {REDACTED}"}],
        "raw": "<11 bytes>",
        "count": 3,
    }
