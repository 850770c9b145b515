from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.loyalty.account import open_account
from stream.loyalty.snapshots import missing_after_walk, removal_plausible, take_part
from tests.loyalty.builders import CUSTOMER, Ledger, customer, order, rules, snapshot, swept

BRIEF = rules()


def two_orders() -> Ledger:
    return Ledger(BRIEF).take(order(100, "1"), order(200, "2"))


def test_an_order_is_removed_when_two_complete_walks_in_a_row_lack_it() -> None:
    ledger = two_orders().take(snapshot("w1", ["1"], 3_000), swept("w1", 3_000))
    assert ledger.account.spend_minor == 300
    ledger.take(snapshot("w2", ["1"], 4_000), swept("w2", 4_000))
    assert (ledger.counted, ledger.account.spend_minor) == ({"1": 100}, 100)


def test_a_walk_that_sees_it_again_breaks_the_row() -> None:
    ledger = two_orders().take(snapshot("w1", ["1"], 3_000), swept("w1", 3_000))
    ledger.take(snapshot("w2", ["1", "2"], 4_000), swept("w2", 4_000))
    ledger.take(snapshot("w3", ["1"], 5_000), swept("w3", 5_000))
    assert ledger.account.spend_minor == 300


def test_a_customer_without_a_snapshot_had_no_orders() -> None:
    ledger = two_orders().take(swept("w1", 3_000), swept("w2", 4_000))
    assert (ledger.counted, ledger.account.line_count) == ({}, 0)


def test_the_same_walk_twice_is_one_walk() -> None:
    ledger = two_orders().take(swept("w1", 3_000), swept("w1", 3_000))
    assert ledger.account.spend_minor == 300


def test_an_incomplete_walk_says_nothing_and_does_not_break_the_row() -> None:
    ledger = two_orders().take(swept("w1", 3_000), swept("w2", 4_000, complete=False))
    assert ledger.account.spend_minor == 300
    assert ledger.take(swept("w3", 5_000)).account.spend_minor == 0


@pytest.mark.parametrize("windows", [((0, 999), (0, 5_000)), ((0, 5_000), (1_001, 5_000)), ((0, 999), (0, 999))])
def test_an_order_that_a_window_does_not_cover_stays(windows: tuple[tuple[int, int], tuple[int, int]]) -> None:
    ledger = two_orders()
    for number, window in enumerate(windows):
        ledger.take(swept(f"w{number}", 3_000 + number, window=window))
    assert ledger.account.spend_minor == 300


def test_the_window_is_inclusive() -> None:
    ledger = two_orders().take(swept("w1", 3_000, window=(1_000, 1_000)), swept("w2", 4_000, window=(1_000, 1_000)))
    assert ledger.account.spend_minor == 0


def test_an_order_seen_after_the_walk_began_is_there() -> None:
    ledger = two_orders().take(swept("w1", 3_000), order(200, "2", observed_at=4_500), swept("w2", 4_000))
    assert ledger.counted == {"2": 200}


def test_an_order_seen_while_the_walk_went_on_is_not_missing_from_it() -> None:
    ledger = two_orders().take(order(200, "2", observed_at=3_500), swept("w1", 3_000), swept("w2", 4_000))
    assert ledger.counted == {"2": 200}


def test_parts_may_come_in_any_order_and_twice() -> None:
    parts = [snapshot("w1", ["1"], 3_000, 1, 2), snapshot("w1", ["2"], 3_000, 2, 2)]
    ledger = two_orders().take(swept("w0", 2_500), parts[1], parts[1], parts[0], swept("w1", 3_000))
    assert ledger.account.presence is not None
    assert (ledger.account.spend_minor, ledger.account.presence.missing) == (300, ())


def test_a_snapshot_that_lacks_a_part_says_nothing() -> None:
    ledger = two_orders().take(swept("w0", 2_500), snapshot("w1", ["1"], 3_000, 1, 2), swept("w1", 3_000))
    assert ledger.account.spend_minor == 300


def test_a_repeated_part_is_passed_over_before_and_after_the_walk_is_judged() -> None:
    part = snapshot("w1", ["1", "2"], 3_000)
    ledger = two_orders().take(part)
    assert take_part(ledger.account, part) is None
    assert take_part(ledger.take(swept("w1", 3_000)).account, part) is None


def test_a_late_part_of_an_earlier_walk_is_passed_over() -> None:
    account = two_orders().take(snapshot("w2", ["1"], 4_000)).account
    assert take_part(account, snapshot("w1", ["2"], 3_000)) is None


def test_a_snapshot_changes_no_amount_and_a_walk_leaves_nothing_behind() -> None:
    ledger = two_orders()
    before = ledger.account
    ledger.take(snapshot("w1", ["1", "2", "3"], 3_000), swept("w1", 3_000))
    assert ledger.account.presence is not None
    assert ledger.account.presence.seen == ()
    assert msgspec.structs.replace(ledger.account, presence=None) == before


def test_withheld_removals_are_found_again_by_the_next_walk() -> None:
    ledger = two_orders().take(swept("w1", 3_000))
    withheld = missing_after_walk(ledger.account, ledger.lines.items(), swept("w2", 4_000))
    assert withheld is not None
    assert withheld.remove == ("1", "2")
    again = missing_after_walk(withheld.account, ledger.lines.items(), swept("w3", 5_000))
    assert again is not None
    assert again.remove == ("1", "2")


def test_an_account_without_lines_is_passed_over() -> None:
    assert missing_after_walk(open_account(CUSTOMER, BRIEF), iter([]), swept("w1", 3_000)) is None


def test_a_walk_in_account_collects_nothing() -> None:
    assert take_part(Ledger(BRIEF).take(customer(walk_in=True)).account, snapshot("w1", ["1"], 3_000)) is None


@pytest.mark.parametrize(
    ("removals", "lines", "plausible"),
    [(20, 20, True), (21, 100, False), (21, 2_100, True), (21, 2_099, False), (0, 0, True), (1_000, 100_000, True)],
)
def test_a_mass_removal_is_a_vendors_fault(removals: int, lines: int, plausible: bool) -> None:
    assert removal_plausible(removals, lines) is plausible


def test_what_is_kept_of_a_walk_fits_into_a_record_however_many_orders_there_are() -> None:
    """An account that stands for everybody at the counter, and is not known for what it is."""
    ledger, ids = Ledger(BRIEF), [f"{number:012}" for number in range(120_000)]
    ledger.take(order(100, ids[0]))
    parts = [ids[start : start + 2_000] for start in range(0, len(ids), 2_000)]
    for walk, at in (("w1", 3_000), ("w2", 4_000), ("w3", 5_000)):
        for number, part in enumerate(parts, 1):
            ledger.take(snapshot(walk, part, at, number, len(parts)))
            assert number % 20 or size(ledger) < HALF_A_RECORD
        ledger.take(swept(walk, at))
    assert ledger.account.spend_minor == 100, "nothing is concluded"


def test_very_many_orders_are_removed_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.loyalty.snapshots.MOST_MISSING", 3)
    ledger = Ledger(BRIEF).take(*(order(100, str(number)) for number in range(5)))
    left = [ledger.take(swept(f"w{walk}", 3_000 + walk)).account.line_count for walk in range(5)]
    assert left == [5, 2, 2, 0, 0]


HALF_A_RECORD = 1 << 19


def size(ledger: Ledger) -> int:
    """Bytes of the account as state keeps it."""
    return len(msgspec.msgpack.encode(ledger.account))


@settings(max_examples=200)
@given(st.dictionaries(st.integers(1, 6), st.integers(1, 999)), st.dictionaries(st.integers(1, 6), st.integers(1, 999)))
def test_two_complete_walks_heal_any_missed_edits_and_removals(known: dict[int, int], true: dict[int, int]) -> None:
    """Whatever the account believed, two walks over the truth leave it with exactly the truth."""
    ledger = Ledger(BRIEF).take(*(order(total, str(number)) for number, total in known.items()))
    for walk, at in (("w1", 3_000), ("w2", 4_000)):
        ledger.take(*(order(total, str(number), observed_at=at) for number, total in true.items()))
        if true:
            ledger.take(snapshot(walk, map(str, true), at))
        ledger.take(swept(walk, at))
    assert ledger.counted == {str(number): total for number, total in true.items()}
    assert ledger.account.spend_minor == sum(true.values())
