"""How a run looks: a line in a list, or its parts with what it found, how that differs, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from stream.contracts.profiles import Verdict
from stream.contracts.runs import ALLEAVES, ALPINE_IQ, Phase, RunKind, Tally, VendorUse
from stream.sinks.views import shown_pages
from stream.sinks.views.happenings import asked_at
from stream.sinks.views.shown import Run
from stream.web.pages import moments, words
from stream.web.pages.page import Page

_PHASES = (Phase.ORDERS, Phase.BALANCES, Phase.VERDICTS)
_VENDORS = {ALLEAVES: "Alleaves", ALPINE_IQ: words.PROVIDER}


@dataclass(frozen=True)
class PhaseShown:
    """A part of a run. `state`: `done`, `now`, `failed` or `next`; `said`: what it did so far."""

    name: str
    state: str
    said: str
    took: str


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    run: Run
    name: str
    at: int
    took: str
    said: str


@dataclass(frozen=True)
class Difference:
    """A count of a run, and by how much it differs from the run before (None: there is none)."""

    label: str
    value: int
    before: int | None


@dataclass(frozen=True)
class VendorShown:
    """What a run asked of a vendor. `errors`: each kind in words, with how many; empty where there was none."""

    name: str
    use: VendorUse
    errors: str


@dataclass(frozen=True)
class RunShown:
    """One run. `phases`: None for a run of one customer."""

    run: Run
    summary: RunSummary
    phases: list[PhaseShown] | None
    differences: list[Difference]
    before: str | None
    vendors: list[VendorShown]


def shown(page: Page, run: Run) -> RunShown:
    """The run with its phases and how it differs from the one before."""
    before = page.views.run(found) if (found := _before(page, run)) is not None else None
    return RunShown(
        run=run,
        summary=summary(page, run),
        phases=None if run.customer is not None else _phases(page, run),
        differences=_differences(run.tally, before.tally if before else None),
        before=before.run if before else None,
        vendors=[_vendor(name, run.vendors[vendor]) for vendor, name in _VENDORS.items() if vendor in run.vendors],
    )


def summary(page: Page, run: Run) -> RunSummary:
    """The run in a line."""
    began = run.started_at or asked_at(run)
    took = moments.length(max((run.ended_at or page.now) - began, 0))
    return RunSummary(run, words.run_name(run.run), asked_at(run), took, _said(run))


def _verdict(answer: str) -> str:
    """In words; what is no verdict (a run that failed) as it is."""
    return words.VERDICTS[Verdict(answer)] if answer in set(Verdict) else answer


def _said(run: Run) -> str:
    if run.outcome == "failed":
        return run.reason or "No reason was given."
    if run.customer is not None:
        return _verdict(run.answer or "")
    if run.tally is not None:
        return f"{run.tally.matched:,} agree, {run.tally.discrepancy:,} need review"
    return words.PHASES.get(run.phase, run.phase)


def _phases(page: Page, run: Run) -> list[PhaseShown]:
    wanted = _PHASES if run.kind == RunKind.DAILY else _PHASES[1:]
    names = [phase.value for phase in wanted]
    at = names.index(run.phase) if run.phase in names else -1
    shown = []
    for position, name in enumerate(names):
        if run.outcome == "completed" or position < at:
            state = "done"
        elif position == at:
            state = "failed" if run.outcome == "failed" else "now"
        else:
            state = "next"
        took = moments.length(run.phases_ms[name]) if name in run.phases_ms else ""
        shown.append(PhaseShown(words.PHASES[name], state, _counted(run, name), took))
    return shown


def _counted(run: Run, phase: str) -> str:
    if phase == Phase.ORDERS and run.orders is not None:
        return f"{run.orders:,} orders of {run.order_customers or 0:,} customers"
    if phase == Phase.BALANCES and run.balances is not None:
        return words.counted(run.balances, "balance")
    if phase == Phase.VERDICTS and run.tally is not None:
        return words.counted(run.tally.customers, "customer")
    return ""


def _differences(tally: Tally | None, before: Tally | None) -> list[Difference]:
    if tally is None:
        return []
    labels = {
        "customers": "Customers",
        "with_provider": f"With a balance at {words.PROVIDER}",
        "matched": "Agree",
        "discrepancy": "Need review",
        "timing": "Timing",
        "not_enrolled": "Not enrolled",
        "ambiguous": "Ambiguous",
        "unknown": "Unknown",
        "missing_internal": "No orders here",
        "dead_letters": "Records that could not be read",
    }
    return [
        Difference(label, getattr(tally, name), getattr(before, name) if before else None)
        for name, label in labels.items()
    ]


def _before(page: Page, run: Run) -> str | None:
    if run.tally is None or run.ended_at is None or run.customer is not None:
        return None
    return shown_pages.run_before(page.views, page.org, run.ended_at)


def runs_under_way(page: Page) -> list[RunShown]:
    """The runs over all customers that have not ended."""
    found = page.views.runs(page.org, limit=10)
    return [shown(page, run) for run in found if run.outcome is None and run.customer is None][:3]


def _vendor(name: str, use: VendorUse) -> VendorShown:
    errors = (f"{count:,} {words.ERRORS.get(kind, kind)}" for kind, count in use.errors.items())
    return VendorShown(name, use, ", ".join(errors))
