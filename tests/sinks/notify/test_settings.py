"""What the configuration of channels allows, and how it says no."""

from __future__ import annotations

from datetime import time

import pytest
from pydantic import ValidationError

from stream.settings import Configuration, QuietHours

SMTP = {"host": "mail.example", "sender": "l@example.com"}
EMAIL = {"to": ["o@example.com"]}


def loaded(notify: dict[str, object], smtp: dict[str, object] | None = None) -> Configuration:
    given = {"org": [{"id": "a", "notify": notify}], "smtp": SMTP if smtp is None else smtp}
    return Configuration.model_validate(given)


@pytest.mark.parametrize(
    ("notify", "smtp", "said"),
    [
        ({"email": [EMAIL]}, {}, "org 'a' wants mail: give smtp.host and smtp.sender"),
        ({}, {"host": "mail.example"}, "give sender"),
        ({}, {**SMTP, "security": "none"}, "for a mail server on this machine only"),
        ({}, {**SMTP, "sender": "no address"}, "should match"),
        ({"email": [EMAIL, EMAIL]}, None, "two channels have the name 'email'"),
        ({"email": [{**EMAIL, "name": "heartbeat"}]}, None, "two channels have the name 'heartbeat'"),
        ({"email": [{**EMAIL, "name": "Upper"}]}, None, "should match"),
        ({"email": [{"to": []}]}, None, "at least 1 item"),
        ({"email": [{**EMAIL, "kinds": ["everything"]}]}, None, "discrepancy.opened"),
        ({"email": [{**EMAIL, "quiet_hours": "22-7"}]}, None, "two times of day such as 22:00-07:00"),
        ({"email": [{**EMAIL, "quiet_hours": "07:00-07:00"}]}, None, "different times"),
        ({"webhook": [{"url": "https://x.example", "secrets": []}]}, None, "at least 1 item"),
        ({"window_seconds": 0}, None, "greater than 0"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    notify: dict[str, object], smtp: dict[str, object] | None, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        loaded(notify, smtp)
    assert said in str(caught.value)


def test_a_server_on_this_machine_may_be_spoken_to_in_the_clear() -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        assert loaded({}, {**SMTP, "host": host, "security": "none"}).smtp.host == host


def test_channels_are_found_by_the_names_that_they_have() -> None:
    notify = loaded({"email": [EMAIL, {**EMAIL, "name": "night", "quiet_hours": "22:00-07:00"}]}).orgs[0].notify
    assert [channel.name for channel in notify.channels] == ["email", "night"]
    assert notify.email[1].quiet_hours == QuietHours(time(22), time(7))
    assert notify.configured
    assert not loaded({}).orgs[0].notify.configured
    assert loaded({"heartbeat": "https://watchdog.example"}).orgs[0].notify.configured
