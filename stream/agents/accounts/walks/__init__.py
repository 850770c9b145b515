"""Partition-wide facts: every account of an org is visited, in transactions over ranges of keys."""

from stream.agents.accounts.walks.links import LinkWalk
from stream.agents.accounts.walks.orders import SweepWalk
from stream.agents.accounts.walks.settings import Recompute
from stream.agents.accounts.walks.verdicts import VerdictBarrier, VerdictWalk, barrier_key

__all__ = ["LinkWalk", "Recompute", "SweepWalk", "VerdictBarrier", "VerdictWalk", "barrier_key"]
