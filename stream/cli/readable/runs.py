"""Runs."""

from __future__ import annotations

from decimal import Decimal

from stream.cli.readable.values import Fields, count, fields, in_seconds, known, rows


def of_runs(answer: object) -> object:
    """A row each."""
    return [
        {
            "run": run.get("id"),
            "started": run.get("startedAt") or "queued",
            "seconds": _seconds(fields(run.get("phasesMs"))),
            "outcome": run.get("outcome") or f"under way ({run.get('phase')})",
            "result": run.get("reason") or run.get("answer") or _result_of(fields(run.get("tally"))),
        }
        for run in rows(answer)
    ] or "no runs yet"


def of_run(answer: object) -> object:
    """The run, phase by phase, and the brief's figures where it ended."""
    run = fields(answer)
    phases, tally, stats = (fields(run.get(part)) for part in ("phasesMs", "tally", "stats"))
    shown: Fields = {
        "run": run.get("id"),
        "asked for": f"{run.get('requestedAt') or '–'} by {run.get('requestedBy') or 'the schedule'}",
        "began": run.get("startedAt"),
        "ended": run.get("endedAt") or f"under way ({run.get('phase')})",
        "outcome": run.get("outcome"),
    }
    if run.get("customerId") is not None:
        shown |= {"customer": run["customerId"], "verdict": run.get("answer")}
    if run.get("reason") is not None:
        shown["reason"] = f"in phase {run.get('phase')}: {run['reason']}"
    shown["seconds"] = ", ".join(f"{name} {in_seconds(ms)}" for name, ms in phases.items()) or "–"
    shown["calls"] = f"Alleaves {known(run.get('alleavesCalls'))}, Alpine IQ {known(run.get('alpineCalls'))}"
    if tally:
        shown["counted"] = {name.replace("_", " "): number for name, number in tally.items()}
    return shown | ({"org": stats} if stats else {})


def of_asked(answer: object) -> object:
    """The run, and how it ended."""
    asked = fields(answer)
    shown: Fields = {name: asked.get(name) for name in ("run", "customer", "status") if asked.get(name) is not None}
    result = asked.get("result")
    return shown if not isinstance(result, dict) else shown | _result(result)


def _result(result: Fields) -> Fields:
    phases = {name: Decimal(str(ms)) / 1000 for name, ms in fields(result.pop("phasesMs", {})).items()}
    took = ", ".join(f"{name} {seconds:.1f}" for name, seconds in phases.items())
    shown = {name.replace("_", " "): value for name, value in result.items() if value is not None}
    return {**shown, "seconds": took or "–"}


def _result_of(tally: Fields) -> str:
    if not tally:
        return "–"
    return f"{count(tally.get('matched'))} agree, {count(tally.get('discrepancy'))} need review"


def _seconds(phases: Fields) -> str:
    return in_seconds(sum(ms for ms in phases.values() if isinstance(ms, int))) if phases else "–"
