"""Answers for people: what `show` prints instead of JSON. Each takes what the command answers as JSON."""

from stream.cli.readable.cases import of_case, of_cases
from stream.cli.readable.customers import of_customer, of_erased
from stream.cli.readable.deliveries import of_deliveries
from stream.cli.readable.letters import of_dead_letters, of_letter_reasons, of_letters_decided
from stream.cli.readable.runs import of_asked, of_run, of_runs
from stream.cli.readable.settings import effect_in_words, of_difference, of_settings
from stream.cli.readable.standing import of_orgs, of_status

__all__ = [
    "effect_in_words",
    "of_asked",
    "of_case",
    "of_cases",
    "of_customer",
    "of_dead_letters",
    "of_deliveries",
    "of_difference",
    "of_erased",
    "of_letter_reasons",
    "of_letters_decided",
    "of_orgs",
    "of_run",
    "of_runs",
    "of_settings",
    "of_status",
]
