"""What the command line asks of `stream.bootstrap`, which is imported only when a command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from stream.cli.access_points import AccessPoints
from stream.cli.desk import Desk
from stream.ops.progress import Progress
from stream.settings import Configuration


class DemoResult(Protocol):
    """What a demo ended with, and whether every profile is what the oracle says."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""

    def answer(self) -> Mapping[str, object]:
        """The brief's figures and the time of each phase, as JSON."""


class EntryPoints(Desk, AccessPoints, Protocol):
    """One coroutine per command. Roles run until they are cancelled; results are anything msgspec can encode."""

    async def demo(self, *, seed: int, hostile: bool, keep: bool, once: bool, progress: Progress) -> DemoResult:
        """Run everything on simulated vendors."""

    async def up(self, configuration: Configuration, *, progress: Progress) -> None:
        """Run every role in one process tree."""

    async def poll(self, configuration: Configuration) -> None:
        """Run the producers."""

    async def worker(self, configuration: Configuration, *, name: str) -> None:
        """Run the agents. `name` tells the state folder of one worker from another's."""

    async def sink_firestore(self, configuration: Configuration) -> None:
        """Export profiles to Firestore."""

    async def sink_notify(self, configuration: Configuration, *, name: str) -> None:
        """Tell people. `name` tells a standby from the one on duty."""

    async def notify_test(self, configuration: Configuration, *, org: str) -> Sequence[object]:
        """Try every channel of the org; answers channel by channel, each with `delivered`."""

    async def notify_resend(
        self, configuration: Configuration, *, org: str, message: str, channel: str | None
    ) -> Sequence[object]:
        """Send a message once more. Raises LoyaltyError when there is nothing to send."""

    async def notify_list(
        self, configuration: Configuration, *, org: str, undelivered: bool, limit: int
    ) -> Sequence[object]:
        """Messages and what became of them, newest attempts first; with `undelivered` only those nobody has."""

    async def web(self, configuration: Configuration) -> None:
        """Serve the API and keep the views."""

    async def sync(
        self,
        configuration: Configuration,
        *,
        org: str,
        customer: str | None,
        wait: bool,
        key: str | None,
        progress: Progress,
        by: str,
    ) -> object:
        """Ask for a run; with `wait` answer when it has ended. Raises LoyaltyError when it failed. `by`: the actor that
        the audit names."""

    async def backfill(self, configuration: Configuration, *, org: str, progress: Progress, by: str) -> object:
        """Read the org's whole history once."""

    async def status(self, configuration: Configuration) -> object:
        """How every org stands: figures, last run, vendors, lag."""

    async def dead_letters(self, configuration: Configuration, *, org: str | None, limit: int) -> Sequence[object]:
        """Newest first, redacted."""

    async def dead_letter(self, configuration: Configuration, *, partition: int, offset: int) -> object | None:
        """The dead letter at that place of its topic, redacted."""

    async def customer(self, configuration: Configuration, *, org: str, customer: str) -> object | None:
        """Everything known of a customer."""

    def profiles(self, configuration: Configuration, *, org: str) -> AsyncIterator[Mapping[str, object]]:
        """Every customer document of the org, in order of customer id."""


def bootstrap() -> EntryPoints:
    """The real ones. Imported when a command runs, each with what it needs and no more."""
    return cast(EntryPoints, import_module("stream.bootstrap.commands"))
