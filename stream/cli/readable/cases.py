"""Cases, their causes and their history."""

from __future__ import annotations

from stream.cli.readable.values import Fields, fields, listed, rows, signed


def of_cases(answer: object) -> object:
    """A row each."""
    return [
        {
            "case": case.get("id"),
            "state": case.get("state"),
            "opened": case.get("openedAt"),
            "orders give": case.get("points"),
            "Alpine IQ": case.get("pointsFromAlpine"),
            "difference": signed(case.get("discrepancy")),
            "unexplained": signed(case.get("unexplained")),
            "assigned to": case.get("assignedTo"),
        }
        for case in rows(answer)
    ] or "no such cases"


def of_case(answer: object) -> object:
    """The case, its likely causes, its history."""
    case = fields(answer)
    shown = case_in_short(case)
    shown["case"] = case.get("id")
    shown |= {"unexplained": signed(case.get("unexplained")), "assigned to": case.get("assignedTo")}
    if case.get("resolvedAs") is not None:
        shown["resolved as"] = case["resolvedAs"]
    if case.get("silencedUntil") is not None:
        shown["silenced until"] = case["silencedUntil"]
    accepted = fields(case.get("accepted"))
    if accepted:
        until = accepted.get("until") or "for good"
        shown["accepted"] = f"{signed(accepted.get('points'))} by {accepted.get('by')}, until {until}"
    shown["likely causes"] = [
        {
            "points": signed(cause.get("points")),
            "cause": str(cause.get("kind")).replace("_", " "),
            "orders": ", ".join(str(order) for order in listed(cause.get("orders"))) or "–",
            "detail": cause.get("detail"),
        }
        for cause in rows(case.get("causes"))
    ] or "none looked for"
    shown["history"] = [_step(step) for step in rows(case.get("history"))]
    return shown


def case_in_short(case: Fields) -> Fields:
    """Both sides, and where it stands."""
    return {
        "case": case.get("number"),
        "state": case.get("state"),
        "opened": case.get("openedAt"),
        "resolved": case.get("resolvedAt"),
        "orders give": case.get("points"),
        "Alpine IQ shows": case.get("pointsFromAlpine"),
        "difference": signed(case.get("discrepancy")),
    }


def _step(step: Fields) -> Fields:
    told = [
        step.get("note"),
        None if step.get("to") is None else f"to {step['to']}",
        None if step.get("acceptedPoints") is None else f"{signed(step['acceptedPoints'])} accepted",
        None if step.get("until") is None else f"until {step['until']}",
    ]
    words = "; ".join(str(part) for part in told if part is not None)
    return {"at": step.get("at"), "what": step.get("what"), "by": step.get("by"), "said": words or "–"}
