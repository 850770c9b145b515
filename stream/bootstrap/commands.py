"""One coroutine per command (see `stream.cli.entry_points`).

Each is imported when it is asked for: a command that only looks need not wait for Faust, nor the worker for FastAPI.
"""

from __future__ import annotations

from importlib import import_module

_MODULE_OF = {
    "agent_tool": "agent_tool",
    "agent_tool_http": "agent_tool",
    "alerts_since": "alert_log",
    "apply_settings": "ruling",
    "backfill": "asking",
    "case": "browsing",
    "cases": "browsing",
    "change_mode": "ruling",
    "create_key": "accessing",
    "customer": "looking",
    "dead_letter": "looking",
    "dead_letter_reasons": "browsing",
    "dead_letters": "looking",
    "erase_customer": "deciding",
    "decide_case": "deciding",
    "demo": "demo",
    "disable_user": "accessing",
    "discard_letters": "deciding",
    "keys": "accessing",
    "letters_to_decide": "browsing",
    "mode_change": "ruling",
    "notify_list": "browsing",
    "notify_resend": "notifying",
    "notify_test": "notifying",
    "orgs": "browsing",
    "poll": "roles",
    "profiles": "looking",
    "remove_user": "accessing",
    "replay_alerts": "alert_log",
    "retry_letters": "deciding",
    "revoke_key": "accessing",
    "run": "browsing",
    "runs": "browsing",
    "set_user": "accessing",
    "settings_difference": "ruling",
    "settings_in_force": "ruling",
    "sink_firestore": "roles",
    "sink_notify": "roles",
    "status": "looking",
    "sync": "asking",
    "tail_alerts": "alert_log",
    "up": "up",
    "users": "accessing",
    "watch_run": "watching",
    "web": "roles",
    "worker": "roles",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(name)
    return getattr(import_module(f"stream.bootstrap.{_MODULE_OF[name]}"), name)
