"""Whether settings may come into force: one check, for whoever asks for them and for the agent that publishes them."""

from __future__ import annotations

from stream.contracts.settings import OrgSettings
from stream.loyalty.rules import compile_rules
from stream.loyalty.schedule import check_schedule


def check_settings(settings: OrgSettings) -> None:
    """Raises `BadRecord` that names the key, its value and what is allowed."""
    compile_rules(settings, 1)
    check_schedule(settings)
