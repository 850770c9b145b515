"""What things are called on the pages: short, plain, the terms of the rules."""

from __future__ import annotations

from stream.contracts.access import Role
from stream.contracts.cases import Case, Cause, CauseKind, Resolution, Step
from stream.contracts.entries import Cause as EntryCause
from stream.contracts.profiles import Profile, Verdict
from stream.loyalty.wording import CAUSES as CAUSES
from stream.loyalty.wording import PROVIDER as PROVIDER
from stream.loyalty.wording import lowered as lowered

VERDICTS: dict[Verdict, str] = {
    Verdict.MATCHED: "Agrees",
    Verdict.DISCREPANCY: "Needs review",
    Verdict.TIMING: "Timing",
    Verdict.NOT_ENROLLED: "Not enrolled",
    Verdict.AMBIGUOUS: "Ambiguous",
    Verdict.UNKNOWN: "Unknown",
    Verdict.MISSING_INTERNAL: "No orders here",
}
"""In the order in which a list offers them."""

VERDICT_REASONS: dict[Verdict, str] = {
    Verdict.MATCHED: "Both sides agree within the tolerance.",
    Verdict.DISCREPANCY: "The sides differ by more than the tolerance, and recent orders do not explain it.",
    Verdict.TIMING: f"The sides agree but for orders that {PROVIDER} may not have booked yet.",
    Verdict.NOT_ENROLLED: f"{PROVIDER} does not know any of the customer's phone numbers, addresses or codes.",
    Verdict.AMBIGUOUS: f"Several customers share the contact data, so no balance of {PROVIDER} can be told theirs.",
    Verdict.UNKNOWN: f"No balance: there is no contact data to look for, or {PROVIDER} hides or did not say it.",
    Verdict.MISSING_INTERNAL: f"{PROVIDER} has a balance, but there is no order of this customer here.",
}

STEPS: dict[str, str] = {
    Step.OPENED: "Opened",
    Step.REOPENED: "Opened again",
    Step.CHANGED: "Figures changed",
    Step.WORSENED: "Worsened",
    Step.REMINDED: "Reminded",
    Step.ACKNOWLEDGED: "Acknowledged",
    Step.ACCEPTED: "Difference accepted",
    Step.SILENCED: "Silenced",
    Step.NOTED: "Note",
    Step.ASSIGNED: "Assigned",
    Step.RESOLVED: "Resolved",
    Step.DECLINED: "Declined",
}

RESOLUTIONS: dict[Resolution, str] = {
    Resolution.AGREED: "the sides agree",
    Resolution.ACCEPTED: "the difference was accepted",
    Resolution.CLOSED: "somebody closed it",
    Resolution.NOT_COMPARABLE: "there is no balance left to compare",
}

ENTRIES: dict[EntryCause, str] = {
    EntryCause.ORDER_ADDED: "Order",
    EntryCause.ORDER_CHANGED: "Order changed",
    EntryCause.ORDER_REMOVED: "Order removed",
    EntryCause.ORDER_MOVED_AWAY: "Order moved to another customer",
    EntryCause.EQUITY_CHANGED: "Social equity changed",
    EntryCause.SETTINGS_CHANGED: "Settings changed",
}

WHY_NOT: dict[str, str] = {
    "cancelled": "cancelled",
    "unpaid": "not paid",
    "pending": "not complete yet",
    "walk_in": "bought as a guest",
    "other_currency": "in another currency",
    "removed": "gone from the point of sale",
}

RUN_KINDS: dict[str, str] = {"daily": "Everybody", "balances": "Balances", "customer": "One customer"}
PHASES: dict[str, str] = {
    "queued": "Waiting",
    "orders": "Reading orders",
    "balances": "Reading balances",
    "verdicts": "Comparing",
    "done": "Done",
}
RUN_TITLES: dict[str, str] = {
    "daily": "Run of everybody",
    "balances": "Run of balances",
    "customer": "Run of customer",
}
ERRORS: dict[str, str] = {
    "connection": "without a connection",
    "timeout": "timed out",
    "server": "answered with an error of the server",
    "throttled": "throttled",
    "unreadable": "not readable",
    "refused": "refused",
}
"""Kinds of errors of calls to vendors, after their number."""
STAGES: dict[str, str] = {
    "alleaves.translate": "Alleaves",
    "alpine_iq.translate": PROVIDER,
    "accounts": "Points",
    "contacts": "Matching",
    "runs": "Runs",
}
DONE: dict[str, str] = {
    "acknowledge": "Acknowledged.",
    "accept": "The difference is accepted: runs to come take it as agreement.",
    "silence": "Silenced: no alerts about the case until then.",
    "note": "Noted.",
    "assign": "Assigned.",
    "resolve": "Resolved.",
    "password": "Your password is changed. You are logged out everywhere else.",
    "waiting": "Asked for. It takes effect in a moment: look again.",
    "sync": "Asked for. The run shows below.",
    "settings": "In force. Points and tiers are computed again now; verdicts follow with the next run.",
    "retry": "Tried again. If it still cannot be read, it comes back as a new problem.",
    "discard": "Discarded: nothing more is done about it.",
}
"""What is said after an action, by what the address says of it."""
IDENTITIES: dict[str, str] = {"code": "code", "phone": "phone", "email": "e-mail"}
"""Kinds of identities, from the best evidence to the weakest."""
ROLES: dict[Role, str] = {
    Role.VIEWER: "viewer",
    Role.SUPPORT: "support",
    Role.MANAGER: "manager",
    Role.ADMIN: "administrator",
}


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 customer`, `1,641 customers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """`15 %`, `< 1 %`; `unknown` of nothing."""
    if not whole:
        return "unknown"
    return "< 1 %" if 0 < 100 * part < whole else f"{100 * part / whole:.0f} %"


def signed(points: int) -> str:
    """`+140`, `−27`, `0`, with a minus that is as wide as the plus."""
    return f"{points:+,}".replace("-", "−") if points else "0"


def number(value: int) -> str:
    """`1,641`, `−27`"""
    return f"{value:,}".replace("-", "−")


def actor(who: str) -> str:
    """Who did something, as the audit and the runs name them."""
    kind, _, rest = who.partition(":")
    if kind == "user":
        return rest
    if kind in ("key", "cli"):
        return f"{'API key' if kind == 'key' else 'command line,'} {rest}"
    if kind == "local":
        return "whoever runs the program"
    return f"the run {run_name(who)}" if who.count(":") > 1 else who


def run_name(run: str) -> str:
    """A run's id without its org: `daily 2026-01-30`."""
    return run.partition(":")[2].replace(":", " ") or run


def sides_sentence(ours: int, provider: int | None) -> str:
    """Both sides in one sentence."""
    if provider is None:
        return f"Orders give {number(ours)}. {PROVIDER}'s balance is unknown."
    apart = provider - ours
    if not apart:
        return f"{PROVIDER} and the orders both give {number(ours)}."
    too = "many" if apart > 0 else "few"
    return f"{PROVIDER} shows {number(provider)}, orders give {number(ours)}: {number(abs(apart))} too {too}."


def causes_sentence(causes: tuple[Cause, ...], difference: int) -> str:
    """What is behind a difference, the largest part first; empty where nothing was looked for."""
    known = sorted((c for c in causes if c.kind is not CauseKind.UNEXPLAINED), key=lambda c: -abs(c.points))
    rest = sum(c.points for c in causes if c.kind is CauseKind.UNEXPLAINED)
    if not causes:
        return ""
    if not known:
        return "Nothing that is known explains it."
    first = known[0]
    said = f"{number(abs(first.points))} of it" if abs(first.points) < abs(difference) else "All of it"
    text = f"{said}: {lowered(CAUSES[first.kind])}{_named_orders(first)}."
    if len(known) > 1:
        text += f" {counted(len(known) - 1, 'more cause')}."
    return text + (f" {number(abs(rest))} unexplained." if rest else "")


def case_sentence(case: Case) -> str:
    """A case, in a sentence or two."""
    return f"{sides_sentence(case.ours, case.provider)} {causes_sentence(case.causes, case.difference)}".strip()


def profile_sentence(profile: Profile) -> str:
    """A customer's two sides, and what the verdict means."""
    return sides_sentence(profile.points_from_orders, profile.points_from_alpine)


def likely_cause(case: Case) -> str:
    """The largest cause in a few words, for a list."""
    if not case.causes:
        return "Not looked into yet"
    return CAUSES[max(case.causes, key=lambda cause: abs(cause.points)).kind]


def _named_orders(cause: Cause) -> str:
    if not cause.orders:
        return ""
    shown = ", ".join(cause.orders[:3])
    more = f" and {cause.count - 3} more" if cause.count > 3 else ""
    return f" ({'order' if len(cause.orders) == 1 else 'orders'} {shown}{more})"


def raised(text: str) -> str:
    """At the beginning of a sentence."""
    return text[:1].upper() + text[1:]
