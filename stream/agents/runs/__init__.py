"""Runs decide when an org is reconciled, and number its settings."""

from stream.agents.runs.agent import Runs, runs

__all__ = ["Runs", "runs"]
