"""Dead letters in the views: what is shown of them, and what people decided about them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from stream.contracts import dead_letters, topics
from stream.contracts.audit import AUDIT, Action, Audited
from stream.engine.ports import Input
from stream.sinks.reading import Place
from stream.sinks.views.apply import drop_expired_dead_letters
from stream.sinks.views.file import open_for_writing
from stream.sinks.views.shown import DeadLetter
from tests.sinks.records import AT, ORG, dead_letter_record, record
from tests.sinks.views_file import views_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


def test_a_dead_letter_shows_its_shape_without_personal_data(path: Path) -> None:
    value = b'{"id_order": 88213, "total": null, "name_first": "Zoe", "phone": 5551234567, "items": [{"price": "x"}]}'
    views = views_of(path, [dead_letter_record(value, "total is missing; asked by zoe@example.com, +1 555 123 4567")])
    (letter,) = views.dead_letters()
    assert letter.excerpt == '{"id_order":88213,"total":null,"name_first":"…","phone":"…","items":[{"price":"x"}]}'
    assert letter.reason == "total is missing; asked by …, …"
    assert (letter.org, letter.stage, letter.source_topic, letter.key) == (
        ORG,
        "alleaves.translate",
        "",
        f"{ORG}:3528",
    )
    with closing(open_for_writing(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Zoe" not in path.read_bytes(), "not even in the file"


def test_dead_letters_are_asked_for_by_org_stage_and_reason(path: Path) -> None:
    views = views_of(
        path,
        [
            dead_letter_record(b"\xff", "Total is missing", at=AT),
            dead_letter_record(None, "no total", at=AT + 1),
            dead_letter_record(b"{}", "unknown type", at=AT + 2, stage="accounts"),
        ],
    )
    assert [letter.reason for letter in views.dead_letters(2)] == ["unknown type", "no total"]
    assert [letter.reason for letter in views.dead_letters(reason="TOTAL")] == ["no total", "Total is missing"]
    assert [letter.reason for letter in views.dead_letters(stage="accounts")] == ["unknown type"]
    assert views.dead_letters(org="other") == []
    assert views.dead_letters(reason="Total is")[0].excerpt == "1 bytes that are not JSON"


def decided(letter: DeadLetter, action: Action, at: int) -> Input:
    """Somebody's decision about the letter as it was."""
    detail = {"content": letter.content, "through": str(letter.last_offset)}
    place = f"{letter.partition}:{letter.offset}"
    entry = Audited(id=f"{place}@{at}", action=action, actor="cli:jane", target=place, detail=detail)
    return record(topics.AUDIT, ORG, AUDIT.encode(entry, org=ORG, at=at, source="cli"))


def test_what_a_vendor_sends_again_is_one_dead_letter(path: Path) -> None:
    first = dead_letter_record(b'{"id_order": 1}', "no total", at=AT)
    again = dead_letter_record(b'{"id_order": 1}', "the total is missing", at=AT + 1000)
    others = [
        dead_letter_record(b'{"id_order": 2}', "no total", at=AT + 1),
        dead_letter_record(b'{"id_order": 1}', "no total", at=AT + 2, stage="alpine_iq.translate"),
    ]
    views = views_of(path, [first, *others, again], [first, again])
    letters = views.dead_letters()
    assert [(each.times, each.reason) for each in letters] == [
        (2, "the total is missing"),
        (1, "no total"),
        (1, "no total"),
    ]
    kept = letters[0]
    assert (kept.first_at, kept.at) == (AT, AT + 1000)
    assert (kept.offset, kept.last_offset) == (first.offset, again.offset), "found where it was found before"
    assert [each.count for each in views.letter_reasons(ORG)] == [1, 1, 1]


def test_records_with_equal_bytes_are_dead_letters_of_their_own(path: Path) -> None:
    headers = [
        dead_letters.headers(
            org=ORG, at=AT, stage="accounts", reason="r", exception="BadRecord", topic="facts", partition=n, offset=5
        )
        for n in range(2)
    ]
    views = views_of(path, [record(topics.DEAD_LETTERS, ORG, b"{}", headers=each) for each in headers])
    assert [(each.source_partition, each.times) for each in views.dead_letters()] == [(1, 1), (0, 1)]


def test_discarding_is_about_what_was_sent_and_trying_again_about_what_had_come_by_then(path: Path) -> None:
    def comes() -> list[Input]:
        return [dead_letter_record(b"1", "one"), dead_letter_record(b"2", "two")]

    views = views_of(path, comes())
    before = {each.reason: each for each in views.dead_letters()}
    decisions = [
        decided(before["one"], Action.LETTER_DISCARDED, AT + 10),
        decided(before["two"], Action.LETTER_RETRIED, AT + 11),
    ]
    views = views_of(path, decisions)
    assert {each.reason: each.decision for each in views.dead_letters()} == {"one": "discard", "two": "retry"}
    assert views.letter_reasons(ORG) == []

    views = views_of(path, comes())
    assert [(each.reason, each.times) for each in views.dead_letters(undecided=True)] == [("two", 2)]
    assert [each.reason for each in views.letter_reasons(ORG)] == ["two"]


def test_what_a_vendor_still_sends_is_kept_when_its_first_record_has_expired(path: Path) -> None:
    letters = [dead_letter_record(b"1", "one"), dead_letter_record(b"2", "two"), dead_letter_record(b"1", "one")]
    views = views_of(path, letters)
    discards = [decided(each, Action.LETTER_DISCARDED, AT + n) for n, each in enumerate(views.dead_letters())]
    views_of(path, discards)
    with closing(open_for_writing(path)) as connection:
        drop_expired_dead_letters(connection, {Place("dead-letters", 0): letters[2].offset})
        left = connection.execute("SELECT count(*) FROM letter_decisions").fetchone()
    assert [(each.reason, each.decision) for each in views.dead_letters()] == [("one", "discard")]
    assert left == (1,), "nobody's decision is kept"


def test_letters_without_any_bytes_are_told_apart_by_their_reason(path: Path) -> None:
    """Else discarding one would discard whatever else comes without bytes for ever."""
    views = views_of(path, [dead_letter_record(b"", "a broken encoding"), dead_letter_record(b"", "no token")])
    assert {each.reason for each in views.dead_letters()} == {"a broken encoding", "no token"}


def test_a_record_that_was_given_up_twice_is_one_dead_letter(path: Path) -> None:
    """A sink that was killed between the letter and its offset gives the same record up again."""
    headers = dead_letters.headers(
        org=ORG, at=AT, stage="firestore", reason="r", exception="Poison", topic="profiles", partition=1, offset=5
    )
    views = views_of(path, [record(topics.DEAD_LETTERS, ORG, b"{}", headers=headers) for _ in range(2)])
    assert [(each.source_offset, each.times) for each in views.dead_letters()] == [(5, 2)]


def test_a_header_without_a_value_is_none(path: Path) -> None:
    headers = [*dead_letter_record(b"{}", "r").headers, ("traceparent", None)]
    views = views_of(path, [record(topics.DEAD_LETTERS, ORG, b"{}", headers=headers)])
    assert [each.reason for each in views.dead_letters()] == ["r"]
