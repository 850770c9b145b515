"""What must hold whenever the shop has been quiet for a few runs, whatever happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from stream.agents.accounts import Accounts
from stream.contracts import topics
from stream.contracts.alerts import AlertKind
from stream.contracts.dead_letters import REASON
from stream.contracts.profiles import Profile
from stream.contracts.runs import RunCompleted, RunFailed, RunStarted, RunTally
from stream.engine.memory.log import MemoryBroker
from stream.engine.memory.worker import MemoryWorker
from stream.sandbox.oracle import Expected, Rules, expected
from stream.sandbox.world.model import World
from stream.sandbox.world.rows import customer_row, encode, member_row, order_row
from tests.simulation.told import Told

_WITHOUT_BALANCE = {
    "not_enrolled": {"not_enrolled", "unknown"},
    "ambiguous": {"ambiguous"},
    "hidden": {"unknown"},
    "unreadable": {"unknown"},
}


def check_all(world: World, rules: Rules, broker: MemoryBroker) -> None:
    """Everything that can be said of a system at rest."""
    told = Told(broker)
    check_profiles(world, rules, told)
    check_figures(world, rules, told)
    check_entries(told)
    check_cases(told)
    check_runs(told, broker.partitions)
    check_dead_letters(world, told)
    assert not told.resends(), "a link was lost on the way from accounts to contacts"


def check_profiles(world: World, rules: Rules, told: Told) -> None:
    """Every customer's profile is what the oracle says, and versions only rose. The walk-in has none, or one that is
    left from before it was known for what it is."""
    everybody = {str(customer): wanted for customer, wanted in expected(world, rules).customers.items()}
    outcome = {customer: wanted for customer, wanted in everybody.items() if not wanted.walk_in}
    profiles = {customer: profile for customer, profile in told.profiles().items() if not _counter(everybody, customer)}
    assert profiles.keys() == outcome.keys(), sorted(profiles.keys() ^ outcome.keys())
    wrong = [line for customer, wanted in outcome.items() for line in _wrong(customer, wanted, profiles[customer])]
    assert not wrong, "\n".join(wrong[:20])
    for versions in told.all_profiles().values():
        numbers = [(profile.epoch, profile.version) for profile in versions]
        assert all(before < after for before, after in pairwise(numbers)), numbers


def _counter(everybody: Mapping[str, Expected], customer: str) -> bool:
    return customer in everybody and everybody[customer].walk_in


def _wrong(customer: str, wanted: Expected, profile: Profile) -> Iterator[str]:
    pairs: dict[str, tuple[object, object]] = {
        "points from orders": (wanted.points_from_orders, profile.points_from_orders),
        "spend": (wanted.total_spent_minor, profile.total_spent_minor),
        "orders": (wanted.order_count, profile.order_count),
        "balance": (wanted.provider_points, profile.points_from_alpine),
        "points": (wanted.points, profile.points),
        "tier": (wanted.tier, profile.tier),
        "contact": (wanted.contact_id, profile.alpine_user_id if wanted.contact_id else None),
    }
    for name, (oracle, ours) in pairs.items():
        if oracle != ours:
            yield f"customer {customer}: {name} should be {oracle!r} and is {ours!r}"
    if profile.verdict.value not in (verdicts := _verdicts(wanted)):
        yield f"customer {customer}: the verdict should be {verdicts} and is {profile.verdict.value}"


def _verdicts(wanted: Expected) -> set[str]:
    """Where the oracle knows no balance it does not say what we call that; without any order it does not either."""
    if wanted.no_verdict_because is not None:
        return _WITHOUT_BALANCE[wanted.no_verdict_because]
    if wanted.verdict == "discrepancy" and not wanted.order_count:
        return {"discrepancy", "missing_internal"}
    return {wanted.verdict}


def check_figures(world: World, rules: Rules, told: Told) -> None:
    """The last run of the whole org counted what the oracle counts."""
    tally = [run for run in told.runs(RunCompleted) if run.customer is None][-1].tally
    figures = expected(world, rules).stats
    assert tally.with_provider == figures.withAlpineSync
    assert tally.matched == figures.reconciled
    assert tally.discrepancy + tally.missing_internal == figures.needsReview
    assert tally.customers == figures.totalCustomers


def check_entries(told: Told) -> None:
    """Entries add up to the points and the spend, and each was made once."""
    entries = told.entries()
    ids = [entry.id for each in entries.values() for entry in each]
    assert len(ids) == len(set(ids)), [each for each, count in Counter(ids).items() if count > 1]
    for customer, profile in told.profiles().items():
        own = entries.get(customer, [])
        assert sum(entry.delta_points for entry in own) == profile.points_from_orders, customer
        assert sum(entry.delta_minor for entry in own) == profile.total_spent_minor, customer


def check_cases(told: Told) -> None:
    """One open case of a customer, told once when it opened and once when it was resolved."""
    ids = [alert_id for alert_id, _ in told.alerts()]
    assert len(ids) == len(set(ids)), "an alert was told twice"
    counts = Counter((alert.case, alert.kind) for _, alert in told.alerts() if alert.case is not None)
    opened: list[str] = []
    for case in told.cases().values():
        is_open = case.state != "resolved"
        assert counts[case.id, AlertKind.DISCREPANCY_OPENED] == 1, case
        assert counts[case.id, AlertKind.DISCREPANCY_RESOLVED] == (not is_open), case
        if is_open:
            opened.append(case.id.split(":")[1])
    assert len(opened) == len(set(opened)), opened
    assert {case for case, _ in counts} == set(told.cases())
    verdicts = {customer: profile.verdict.value for customer, profile in told.profiles().items()}
    assert {customer for customer, verdict in verdicts.items() if verdict == "discrepancy"} <= set(opened)
    assert not {customer for customer in opened if verdicts[customer] == "matched"}


def check_runs(told: Told, partitions: int) -> None:
    """Every run that was started has ended once, a whole one with one tally of each partition."""
    started = [run.run for run in told.runs(RunStarted)]
    ended = [run.run for run in told.runs(RunCompleted)] + [run.run for run in told.runs(RunFailed)]
    assert sorted(started) == sorted(ended)
    assert len(started) == len(set(started))
    for run in told.runs(RunCompleted):
        if run.customer is None:
            tallies = sorted(tally.partition for tally in told.runs(RunTally) if tally.run == run.run)
            assert tallies == list(range(partitions)), run.run


def check_dead_letters(world: World, told: Told) -> None:
    """Exactly what the world has that nobody can read."""
    broken = [encode(order_row(world, order)) for order in world.orders.values() if order.defect]
    broken += [encode(customer_row(customer)) for customer in world.customers.values() if customer.nameless]
    members = [member for member in world.members.values() if member.broken or member.unreadable]
    broken += [encode(member_row(member)) for member in members]
    buried = {record.value: dict(record.headers)[REASON] for record in told.dead_letters()}
    assert set(broken) <= buried.keys(), sorted(set(broken) - buried.keys())
    others = {raw: reason for raw, reason in buried.items() if raw not in broken and b'"n/a"' not in (raw or b"")}
    assert not others, others


async def check_replay(broker: MemoryBroker) -> None:
    """The facts alone, read again in other portions, give the same entries and the same last profiles."""
    again = MemoryBroker(broker.partitions)
    for number in range(broker.partitions):
        again._logs["facts", number] = list(broker._logs["facts", number])
    worker = MemoryWorker(again, [(Accounts(), topics.ACCOUNTS_CHANGELOG)], fetch_size=lambda: 37)
    await worker.start()
    await worker.run_until_idle()
    before, after = Told(broker), Told(again)
    assert after.profiles() == before.profiles()
    assert after.entries() == before.entries()
    assert after.cases() == before.cases()
    assert after.alerts() == [each for each in before.alerts() if each[1].case is not None]
