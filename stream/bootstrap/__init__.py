"""Puts the pieces together: one coroutine per command (see `stream.cli.entry_points`)."""

from stream.bootstrap.asking import backfill, sync
from stream.bootstrap.demo import demo
from stream.bootstrap.looking import customer, dead_letter, dead_letters, profiles, status
from stream.bootstrap.roles import poll, sink_firestore, web, worker
from stream.bootstrap.up import up

__all__ = [
    "backfill",
    "customer",
    "dead_letter",
    "dead_letters",
    "demo",
    "poll",
    "profiles",
    "sink_firestore",
    "status",
    "sync",
    "up",
    "web",
    "worker",
]
