"""One coroutine per command (see `stream.cli.entry_points`).

Each is imported when it is asked for: a command that only looks need not wait for Faust, nor the worker for FastAPI.
"""

from __future__ import annotations

from importlib import import_module

_MODULE_OF = {
    "backfill": "asking",
    "customer": "looking",
    "dead_letter": "looking",
    "dead_letters": "looking",
    "demo": "demo",
    "poll": "roles",
    "profiles": "looking",
    "sink_firestore": "roles",
    "status": "looking",
    "sync": "asking",
    "up": "up",
    "web": "roles",
    "worker": "roles",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(name)
    return getattr(import_module(f"stream.bootstrap.{_MODULE_OF[name]}"), name)
