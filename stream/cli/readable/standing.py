"""How orgs stand."""

from __future__ import annotations

from collections.abc import Iterable

from stream.cli.readable.values import Fields, count, fields, rows


def of_status(answer: object) -> object:
    """Per org a block."""
    return {
        f"{org.get('org')} ({org.get('mode') or 'no settings yet'})": _standing(org) for org in rows(answer)
    } or "no org yet"


def _standing(org: Fields) -> Fields:
    return {
        "customers": count(org.get("totalCustomers")),
        "with a balance at Alpine IQ": count(org.get("withAlpineSync")),
        "agree": count(org.get("reconciled")),
        "need review": count(org.get("needsReview")),
        "verdicts": _counts(fields(org.get("verdicts"))),
        "last sync": org.get("lastSyncAt") or "none yet",
        "last run": _run(org.get("lastRun")),
        "Alpine IQ": org.get("provider"),
        "dead letters": count(org.get("deadLetters")),
    }


def _run(run: object) -> str:
    if not isinstance(run, dict):
        return "none yet"
    if run.get("outcome") is None:
        return f"{run.get('id')} is under way ({run.get('phase')})"
    reason = f" in phase {run.get('phase')}: {run.get('reason')}" if run.get("outcome") == "failed" else ""
    return f"{run.get('id')} {run.get('outcome')} {run.get('endedAt')}{reason}"


def _counts(counts: Fields) -> str:
    return (
        ", ".join(f"{count(number)} {verdict.replace('_', ' ')}" for verdict, number in _largest(counts)) or "none yet"
    )


def _largest(counts: Fields) -> Iterable[tuple[str, object]]:
    return sorted(counts.items(), key=lambda item: -int(str(item[1])))


def of_orgs(answer: object) -> object:
    """A row each."""
    return [
        {
            "org": org.get("org"),
            "mode": org.get("mode") or "no settings yet",
            "settings": org.get("settingsVersion"),
            "customers": count(org.get("totalCustomers")),
            "agree": count(org.get("reconciled")),
            "need review": count(org.get("needsReview")),
            "live cases": count(org.get("liveCases")),
            "last sync": org.get("lastSyncAt"),
        }
        for org in rows(answer)
    ] or "no org yet"
