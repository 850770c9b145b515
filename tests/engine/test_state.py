"""State of a unit: what is stored, with what the unit changed on top of it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream.engine.memory.log import MemoryStore
from stream.engine.state import State


class Value(msgspec.Struct, frozen=True, array_like=True):
    number: int


PARTS = st.sampled_from(("x", "y", "x:1", "x:2", "", "|", "a|b"))
KEYS = st.builds(
    lambda kind, parts: "|".join((kind, *parts)).encode(), st.sampled_from("abo"), st.lists(PARTS, max_size=3)
)
CHANGES = st.lists(st.tuples(st.sampled_from(("put", "delete", "keep", "drop", "scan")), KEYS, st.integers(0, 9)))


@given(st.dictionaries(KEYS, st.integers(10, 19), max_size=8), CHANGES, st.data())
def test_a_scan_finds_what_is_stored_with_what_has_changed(
    stored: dict[bytes, int], changes: list[tuple[str, bytes, int]], data: st.DataObject
) -> None:
    """Against a plain dictionary, with records that fail and scans in between."""
    store = MemoryStore()
    store.write({key: msgspec.msgpack.encode(Value(number)) for key, number in stored.items()}, 0)
    state, kept, here = State(store), dict(stored), dict(stored)
    for what, key, number in changes:
        match what:
            case "put":
                state.put(key, Value(number))
                here[key] = number
            case "delete":
                state.delete(key)
                here.pop(key, None)
            case "keep":
                state.keep()
                kept = dict(here)
            case "drop":
                state.drop()
                here = dict(kept)
            case _:
                list(state.scan(key, Value))
    prefix = data.draw(KEYS)[: data.draw(st.integers(1, 9))]
    after = data.draw(st.none() | KEYS)
    found = [(key, value.number) for key, value in state.scan(prefix, Value, after)]
    wanted = sorted((k, n) for k, n in here.items() if k.startswith(prefix) and (after is None or k > after))
    assert found == wanted


class Watched(bytes):
    """A key that counts how often somebody looks at it."""

    looked_at = 0

    def startswith(self, *given: object) -> bool:
        Watched.looked_at += 1
        return super().startswith(*given)  # type: ignore[arg-type]  # passed on as it came


def test_a_scan_of_one_customers_lines_does_not_look_through_everybody_elses() -> None:
    """A walk writes the lines of thousands in one unit, and reads each customer's on its way."""
    state, customers, orders = State(MemoryStore()), 200, 5
    for customer in range(customers):
        assert list(state.scan(b"o|shop:%d|" % customer, Value)) == []
        for order in range(orders):
            state.put(Watched(b"o|shop:%d|%d" % (customer, order)), Value(order))
        state.put(Watched(b"a|shop:%d" % customer), Value(customer))
    assert len(list(state.scan(b"o|shop:7|", Value))) == orders
    assert Watched.looked_at == orders
