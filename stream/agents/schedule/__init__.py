"""The schedule reads the clock, and nothing else does: it tells runs which minute it is."""

from stream.agents.schedule.ticking import BEAT_SECONDS, ORGS, Schedule

__all__ = ["BEAT_SECONDS", "ORGS", "Schedule"]
