"""Runs."""

from __future__ import annotations

from decimal import Decimal

from stream.cli.readable.values import Fields, count, fields, in_seconds, known, rows

_VENDORS = {"alleaves": "Alleaves", "alpine_iq": "Alpine IQ"}
_ALWAYS = {
    "customers": "customers",
    "with_provider": "with a balance at Alpine IQ",
    "matched": "agree",
    "discrepancy": "need review",
}
_WHERE_ANY = {
    "timing": "timing",
    "not_enrolled": "not enrolled",
    "ambiguous": "ambiguous",
    "unknown": "unknown",
    "missing_internal": "without orders here",
    "dead_letters": "could not be read",
}


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
        "asked for": " ".join(
            filter(None, (_text(run.get("requestedAt")), f"by {run.get('requestedBy') or 'nobody'}"))
        ),
        "began": run.get("startedAt"),
        "ended": run.get("endedAt") or f"under way ({run.get('phase')})",
        "outcome": run.get("outcome"),
    }
    if run.get("customerId") is not None:
        shown |= {"customer": run["customerId"], "verdict": run.get("answer")}
    if run.get("reason") is not None:
        shown["reason"] = f"in phase {run.get('phase')}: {run['reason']}"
    shown["seconds"] = ", ".join(f"{name} {in_seconds(ms)}" for name, ms in phases.items()) or "–"
    vendors = fields(run.get("vendors"))
    if vendors:
        shown |= {f"asked {_VENDORS.get(name, name)}": _use(fields(use)) for name, use in vendors.items()}
    else:
        shown["calls"] = f"Alleaves {known(run.get('alleavesCalls'))}, Alpine IQ {known(run.get('alpineCalls'))}"
    if tally:
        shown["counted"] = _counted(tally)
    return shown | ({"org": stats} if stats else {})


def of_asked(answer: object) -> object:
    """The run, and how it ended."""
    asked = fields(answer)
    shown: Fields = {name: asked.get(name) for name in ("run", "customer", "status") if asked.get(name) is not None}
    result = asked.get("result")
    return shown if not isinstance(result, dict) else shown | _result(result)


def _result(result: Fields) -> Fields:
    took = ", ".join(f"{name} {in_seconds(ms)}" for name, ms in fields(result.pop("phasesMs", {})).items())
    read = {name: count(result.pop(name)) for name in ("orders", "balances") if result.get(name) is not None}
    counted = _counted(result) if "customers" in result else {k: v for k, v in result.items() if v is not None}
    return {"seconds": took or "–", **{f"{name} read": number for name, number in read.items()}, **counted}


def _counted(tally: Fields) -> Fields:
    """What the run counted, in words; verdicts that nobody has are left out."""
    shown: Fields = {said: count(tally[name]) for name, said in _ALWAYS.items() if name in tally}
    shown |= {said: count(tally[name]) for name, said in _WHERE_ANY.items() if tally.get(name)}
    compared, apart = tally.get("compared"), tally.get("abs_difference_points")
    if isinstance(compared, int) and compared and isinstance(apart, int):
        shown["average discrepancy"] = f"{Decimal(apart) / compared:.2f} points over {compared:,} customers compared"
    return shown


def _use(use: Fields) -> str:
    """`40 calls, all answered`, `12 calls, 3 answered (9 server)`"""
    calls, answered = use.get("calls"), use.get("answered")
    errors = ", ".join(f"{count(number)} {kind}" for kind, number in fields(use.get("errors")).items())
    said = "all answered" if calls == answered else f"{known(answered)} answered"
    return f"{known(calls)} calls, {said}{f' ({errors})' if errors else ''}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _result_of(tally: Fields) -> str:
    if not tally:
        return "–"
    return f"{count(tally.get('matched'))} agree, {count(tally.get('discrepancy'))} need review"


def _seconds(phases: Fields) -> str:
    return in_seconds(sum(ms for ms in phases.values() if isinstance(ms, int))) if phases else "–"
