"""Exit codes, and what a failure looks like on stderr: what was wrong, where, what to do. No traceback.

0 done · 1 failed · 2 configuration or usage · 4 something unreachable · 130 Ctrl-C
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import IntEnum

from stream.errors import ConfigurationError, LoyaltyError, Unavailable, Unreachable

_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Exit(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 4
    INTERRUPTED = 130


class Failed(LoyaltyError):
    """A command did what it was asked, and the answer is no."""


def exit_of(error: BaseException) -> Exit:
    """The exit code for an exception; a group counts as the first of our own errors in it."""
    match told(error):
        case ConfigurationError():
            return Exit.USAGE
        case Unreachable() | Unavailable():
            return Exit.UNREACHABLE
        case OSError(errno=number) if number in _CLOSED:
            return Exit.USAGE
        case _:
            return Exit.FAILED


def message_of(error: BaseException) -> str:
    """What to print: an error of ours speaks for itself; any other is a bug, and is said to be one."""
    cause = told(error)
    if isinstance(cause, LoyaltyError):
        return str(cause)
    if isinstance(cause, OSError) and cause.errno in _CLOSED | _FULL:
        do = "Let this user write there" if cause.errno in _CLOSED else "Make room on that disk"
        return f"{cause.filename or 'a file'}: {cause.strerror}. {do}, or set another data_dir."
    return (
        f"unexpected {type(cause).__name__}: {cause}\n"
        "This is a bug in Loyalty Stream. Run the command again with --debug and report what it prints."
    )


def told(error: BaseException) -> BaseException:
    """The error that tells most: of a group the first of ours, else the first."""
    errors = list(_flat(error))
    return next((each for each in errors if isinstance(each, LoyaltyError)), errors[0])


def _flat(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _flat(each)
    else:
        yield error
