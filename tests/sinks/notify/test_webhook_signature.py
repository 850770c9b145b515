"""Signatures by the Standard Webhooks specification, checked by its text and by its own test vector."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stream.settings import WebhookSettings
from stream.sinks.notify.webhook import signed
from tests.sinks.notify.servers import SIGNING, verified

BODY = '{"type":"loyalty.alerts","data":"ä"}'.encode()


def test_the_specifications_example_has_its_signature() -> None:
    headers = signed(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_with_two_secrets_whoever_has_either_can_verify() -> None:
    headers = signed([f"whsec_{key}" for key in SIGNING], "m-1.webhook", 1000, BODY)
    assert [verified(headers, BODY, key, now=1000) for key in SIGNING] == [True, True]


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"webhook-id": "m-2.webhook"}, "another id"),
        ({"webhook-timestamp": "1001"}, "another time"),
        ({"webhook-signature": "v1,AAAA"}, "another signature"),
    ],
)
def test_nothing_of_it_can_be_changed(changed: dict[str, str], because: str) -> None:
    headers = signed([f"whsec_{SIGNING[0]}"], "m-1.webhook", 1000, BODY)
    assert verified(headers, BODY, SIGNING[0], now=1000)
    assert not verified(headers | changed, BODY, SIGNING[0], now=1000), because
    assert not verified(headers, BODY + b" ", SIGNING[0], now=1000)
    assert not verified(headers, BODY, SIGNING[1], now=1000)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", f"whsec_{SIGNING[0] * 3}"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({"url": "https://x.example", "secrets": [secret]})
    assert "whsec_ and 24 to 64 bytes" in str(caught.value)
