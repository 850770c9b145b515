"""What can go wrong, as one tree.

    LoyaltyError
    ├── ConfigurationError        a key is wrong: names it, its value (unless secret) and what is allowed
    ├── Unreachable               a service that must be there is not: what to start or to correct
    ├── VendorError               the other side's fault
    │   ├── Unavailable           retry (carries retry_after)
    │   ├── Refused               do not retry: credentials, permission
    │   └── Unreadable            a payload that is not understood: dead letter
    ├── BadRecord                 a record's own fault (unknown type, impossible value): dead letter
    ├── PartitionStopped          a partition must not go on: too many dead letters, a log with a hole
    └── Fenced                    another worker owns this partition: exit

Retryable or not is a property of the type (`retryable`), never of the place that catches it.
"""

from __future__ import annotations

__all__ = [
    "BadRecord",
    "ConfigurationError",
    "Fenced",
    "LoyaltyError",
    "PartitionStopped",
    "Refused",
    "Unavailable",
    "Unreachable",
    "Unreadable",
    "VendorError",
]


class LoyaltyError(Exception):
    """Anything this product raises on purpose. The message says what was wrong, where, and what to do."""

    retryable = False


class ConfigurationError(LoyaltyError):
    """The configuration cannot be used. Nothing has been started (exit code 2)."""


class Unreachable(LoyaltyError):
    """Kafka, Firestore or a vendor cannot be reached or started (exit code 4)."""


class VendorError(LoyaltyError):
    """A vendor's answer, or the lack of one."""


class Unavailable(VendorError):
    """The vendor did not answer, or asked to be left alone for a while.

    `retry_after`: seconds the vendor asked for, if it said so.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(VendorError):
    """The vendor understood and said no: wrong credentials, no permission. A person must act."""


class Unreadable(VendorError):
    """The vendor sent something that cannot be understood. Its bytes become a dead letter."""


class BadRecord(LoyaltyError):
    """A record that can never be applied, whoever tries: the record's own fault."""


class PartitionStopped(LoyaltyError):
    """A partition stops and waits for a person, because going on would hide or lose something."""


class Fenced(LoyaltyError):
    """Another worker has taken over this partition; this process must exit without committing."""
