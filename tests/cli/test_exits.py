"""What a failure is to the caller, and what is said of it."""

from __future__ import annotations

import errno

import pytest

from stream.cli.exits import Exit, exit_of, message_of
from stream.errors import BadRecord, ConfigurationError, Unavailable, Unreachable


def failed(number: int) -> OSError:
    """As the system says it."""
    return OSError(number, "as the system says it", "/data/running.lock")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigurationError("no"), Exit.USAGE, "no"),
        (Unreachable("away"), Exit.UNREACHABLE, "away"),
        (Unavailable("busy"), Exit.UNREACHABLE, "busy"),
        (BadRecord("odd"), Exit.FAILED, "odd"),
        (ExceptionGroup("", [ValueError("x"), Unreachable("away")]), Exit.UNREACHABLE, "away"),
        (ValueError("x"), Exit.FAILED, "This is a bug"),
        (failed(errno.EACCES), Exit.USAGE, "/data/running.lock: as the system says it. Let this user write there"),
        (failed(errno.EROFS), Exit.USAGE, "/data/running.lock: as the system says it. Let this user write there"),
        (failed(errno.ENOSPC), Exit.FAILED, "/data/running.lock: as the system says it. Make room"),
        (failed(errno.EPIPE), Exit.FAILED, "This is a bug"),
    ],
)
def test_a_failure_has_the_exit_code_of_its_kind_and_says_what_to_do(error: Exception, code: Exit, says: str) -> None:
    assert exit_of(error) == code
    assert says in message_of(error)
