"""What messages say, before and after they are put into a channel's form."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.cases import CauseKind
from stream.contracts.deliveries import Content, Delivery, MessageKind, Notice, Outcome, Row, RunFigures
from stream.sinks.notify.content import content_of, delivery_of, message_id
from stream.sinks.notify.discord import webhook_body
from stream.sinks.notify.gathering import Group
from stream.sinks.notify.items import Item
from stream.sinks.notify.letter import mail_of, text_of
from stream.sinks.notify.words import line_of_cause, line_of_notice, line_of_resolved, line_of_row, title_of
from tests.sinks.notify.news import AT, DAILY, ORG, about_org, digest_item, item_of, opened
from tests.sinks.notify.servers import discord_complaint

OUTAGE = (AlertKind.PROVIDER_UNAVAILABLE, AlertKind.PROVIDER_RECOVERED)
LINK = "https://loyalty.example.com/cases?org=brand_example"


def same(text: str) -> str:
    return text


def content(*items: Item) -> Content:
    return content_of(items, name="Green Leaf", link=LINK, note=None, clean=same)


def items(*alerts: Alert) -> list[Item]:
    return [item_of(alert, number) for number, alert in enumerate(alerts)]


def delivery(said: Content) -> Delivery:
    return Delivery(
        message="m-1",
        kind=MessageKind.ALERTS,
        channel="discord",
        outcome=Outcome.PENDING,
        title=title_of(said),
        made_at=AT,
        content=said,
    )


def test_ten_thousand_discrepancies_are_counts_and_the_worst_ten() -> None:
    alerts = items(*(opened(number, difference=-number if number % 2 else number) for number in range(1, 10_001)))
    said = content(*alerts, digest_item(review=200))
    assert said.counts == {"discrepancy.opened": 10_000}
    assert [row.customer for row in said.worst] == [str(number) for number in range(10_000, 9_990, -1)]
    assert (said.apart, said.cause, said.cause_count) == (10_000, "provider_lag", 10_000)
    text = text_of(delivery(said))
    assert "Green Leaf: 10,000 new discrepancies" in text
    assert "… and 9,990 more" in text
    assert LINK in text
    assert discord_complaint(webhook_body(delivery(said))) is None


def test_a_customer_counts_as_it_was_last_told_of() -> None:
    worse = opened(1, difference=-300, kind=AlertKind.DISCREPANCY_WORSENED)
    over = opened(2, difference=0, kind=AlertKind.DISCREPANCY_RESOLVED)
    said = content(*items(opened(1), opened(2), worse, over))
    assert [(row.customer, row.difference) for row in said.worst] == [("1", -300)]
    assert said.counts == {"discrepancy.opened": 2, "discrepancy.worsened": 1, "discrepancy.resolved": 1}


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        ([CauseKind.TAX_BASIS, CauseKind.TAX_BASIS, CauseKind.ROUNDING], ("tax_basis", 2)),
        ([CauseKind.UNEXPLAINED, CauseKind.UNEXPLAINED, CauseKind.ROUNDING], ("rounding", 1)),
        ([None, CauseKind.UNEXPLAINED], (None, 0)),
    ],
)
def test_the_likely_common_cause_is_the_most_frequent_known_one(
    causes: list[CauseKind | None], expected: tuple[str | None, int]
) -> None:
    said = content(*items(*(opened(number, cause=cause) for number, cause in enumerate(causes))))
    assert (said.cause, said.cause_count) == expected


@pytest.mark.parametrize(
    ("news", "title"),
    [
        ([opened(1)], "Green Leaf: 1 new discrepancy"),
        ([opened(1), opened(2)], "Green Leaf: 2 new discrepancies"),
        ([opened(1), about_org(AlertKind.RUN_FAILED, "x")], "Green Leaf: 1 run failed, 1 new discrepancy"),
        ([about_org(AlertKind.PROVIDER_UNAVAILABLE, "x")], "Green Leaf: Alpine IQ is unavailable"),
        ([about_org(AlertKind.PROVIDER_RECOVERED)], "Green Leaf: Alpine IQ answers again"),
        ([about_org(kind) for kind in OUTAGE], "Green Leaf: Alpine IQ answers again"),
        ([about_org(kind) for kind in (*OUTAGE, *OUTAGE)], "Green Leaf: 2 ended outages of Alpine IQ"),
        ([about_org(kind) for kind in reversed(OUTAGE)], "Green Leaf: Alpine IQ is unavailable"),
        (
            [opened(n, kind=kind) for n, kind in enumerate(AlertKind) if kind.value.startswith("discrepancy")],
            "Green Leaf: 1 new discrepancy, 1 worsened, 1 still standing, 1 resolved",
        ),
        (
            [opened(n, kind=kind) for n, kind in enumerate([AlertKind.DISCREPANCY_WORSENED] * 2)],
            "Green Leaf: 2 discrepancies worsened",
        ),
    ],
)
def test_a_title_says_what_happened_the_urgent_first(news: list[Alert], title: str) -> None:
    assert title_of(content(*items(*news))) == title


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_of_alert_has_words(kind: AlertKind) -> None:
    said = content(*items(opened(1, kind=kind) if kind.value.startswith("discrepancy") else about_org(kind)))
    assert "×" not in title_of(said)
    assert kind.value not in text_of(delivery(said))


@pytest.mark.parametrize(
    ("review", "title"),
    [
        (0, "Green Leaf: all is well (245 of 245 balances agree, 1,641 customers)"),
        (5, "Green Leaf: 5 discrepancies known, nothing new (240 of 245 balances agree, 1,641 customers)"),
    ],
)
def test_a_run_without_news_is_one_line(review: int, title: str) -> None:
    said = content(digest_item(review=review))
    assert title_of(said) == title
    assert text_of(delivery(said)) == f"{title}\n\n{LINK}\n"
    assert webhook_body(delivery(said))["embeds"][0].get("description") is None  # type: ignore[index]  # as JSON has it


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("daily:2026-01-30", "daily run 2026-01-30"),
        ("daily:first", "first run"),
        ("daily:20260130T092726.642", "run 20260130T092726.642"),
        ("daily:retry-7", "run retry-7"),
        ("balances:20260130T0900Z", "intraday run 20260130T0900Z"),
    ],
)
def test_a_run_is_called(run: str, name: str) -> None:
    failed = items(about_org(AlertKind.RUN_FAILED, "orders: timeout", run=f"{ORG}:{run}"))
    assert f"The {name} failed while reading the orders: timeout." in text_of(delivery(content(*failed)))


def test_what_a_run_could_not_read_is_said_even_when_all_else_is_well() -> None:
    assert title_of(content(digest_item(unreadable=1))) == (
        "Green Leaf: all is well (245 of 245 balances agree, 1,641 customers, 1 record could not be read)"
    )
    none_yet = Content(name="n", runs=(RunFigures("o:daily:first", 7, 0, 0, 0, 4),))
    assert title_of(none_yet) == "n: all is well (no balances yet, 7 customers)"


def test_what_is_unknown_is_said_to_be_unknown_and_never_0() -> None:
    assert line_of_row(Row(customer="7", kind="discrepancy.opened", ours=450)) == (
        "7: orders give 450, Alpine IQ's balance is unknown."
    )


@pytest.mark.parametrize(
    ("kind", "difference", "cause", "line"),
    [
        ("opened", -120, CauseKind.ADJUSTMENTS, "880, … 120 too few. Likely: adjusted by hand at Alpine IQ."),
        ("opened", 50, CauseKind.ROUNDING, "1,050, … 50 too many. Likely: Alpine IQ rounds otherwise."),
        ("worsened", 50, None, "1,050, … 50 too many, worse than before."),
        ("standing", 50, None, "1,050, … 50 too many, as before."),
    ],
)  # fmt: skip
def test_a_customers_line_says_both_sides_and_why(
    kind: str, difference: int, cause: CauseKind | None, line: str
) -> None:
    alert = opened(3528, difference=difference, kind=AlertKind(f"discrepancy.{kind}"), cause=cause)
    assert (
        line_of_row(content(*items(alert)).worst[0])
        == f"3528: Alpine IQ shows {line.replace('…', 'orders give 1,000:')}"
    )


def test_what_others_wrote_is_cleaned_and_cut() -> None:
    wordy = about_org(AlertKind.RUN_FAILED, "call  555 with\n" + "x" * 500)
    said = content_of(
        items(wordy), name="n", link=None, note=None, clean=lambda text: text.replace("555", "[redacted]")
    )
    [notice] = said.notices
    assert notice.reason.startswith("call [redacted] with x")
    assert len(notice.reason) == 300


def test_a_message_is_the_same_whenever_it_is_made_from_the_same_records() -> None:
    def made(channel: str, at: int) -> Delivery:
        group = Group(DAILY, 0)
        for item in items(opened(1), opened(2)):
            group.items.append(item)
            group.records.add(item.place, item.offset, adjoins=True)
        return delivery_of(group, org=ORG, channel=channel, name="n", link=None, at=at, clean=same)

    assert made("discord", 1) == made("discord", 1)
    assert made("discord", 1).message == made("email", 2).message
    assert (made("x", 1).alerts, made("x", 1).count, made("x", 1).run) == (("a0", "a1"), 2, DAILY)


def test_the_same_offsets_in_another_log_are_another_message() -> None:
    """A `data_dir` or prefix that was begun anew: the first records lie where the first ones lay before."""

    def first(item: Item) -> str:
        group = Group(DAILY, 0, [item])
        group.records.add(item.place, item.offset, adjoins=False)
        return message_id(ORG, group)

    for item in (items(opened(1))[0], digest_item()):
        assert first(item) == first(replace(item)), "read again"
        assert first(item) != first(replace(item, at=item.at + 86_400_000))


NASTY = "@everyone <@123> [click](http://evil) **bold** `x` ||spoiler|| ~~s~~ __u__ \\"


def test_discord_pings_nobody_and_shows_texts_as_they_stand() -> None:
    body = webhook_body(delivery(content(*items(about_org(AlertKind.RUN_FAILED, NASTY)))))
    assert body["allowed_mentions"] == {"parse": []}
    [embed] = body["embeds"]  # type: ignore[misc]  # as JSON has it
    assert re.search(r"(?<!\\)[@<>*`|~\[\]()_]", embed["description"].replace("\\\\", "")) is None  # type: ignore[index]


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(max_size=400),
    reasons=st.lists(st.text(alphabet="*_x\\😀\n ", max_size=400), max_size=12),
    rows=st.integers(0, 10),
    link=st.none() | st.just(LINK),
)
def test_whatever_a_message_says_discord_takes_it(name: str, reasons: list[str], rows: int, link: str | None) -> None:
    said = Content(
        name=name,
        counts={"discrepancy.opened": rows, "run.failed": len(reasons)},
        worst=tuple(Row(customer="9" * 64, kind="discrepancy.opened", difference=-(10**12)) for _ in range(rows)),
        apart=rows,
        notices=tuple(Notice("run.failed", AT, reason[:300]) for reason in reasons),
        link=link,
    )
    assert discord_complaint(webhook_body(delivery(said))) is None


def test_a_mail_has_both_parts_and_the_same_id_each_time() -> None:
    said = content(*items(opened(3528, difference=-120), about_org(AlertKind.RUN_FAILED, "<b>no & answer</b>")))
    mail = mail_of(delivery(said), "loyalty@example.com", ("a@example.com", "b@example.com"))
    assert mail["Message-ID"] == "<m-1.discord@example.com>"
    assert mail["Date"] == mail_of(delivery(said), "loyalty@example.com", ("a@example.com",))["Date"]
    assert mail["To"] == "a@example.com, b@example.com"
    plain, html = (part.get_content() for part in mail.iter_parts())
    assert (
        "3528: Alpine IQ shows 880, orders give 1,000: 120 too few. "
        "Likely: recent orders that Alpine IQ has not booked yet." in plain
    )
    assert "&lt;b&gt;no &amp; answer&lt;/b&gt;" in html
    assert "<b>" not in html
    assert re.search(r"880</td>.*1,000</td>.*−120</td>.*recent orders that Alpine IQ has not booked yet</td>", html)
    assert f'<a href="{LINK.replace("?", "/3528/1?")}"' in html, "a row leads to its case"


def test_a_subject_is_one_line_whatever_the_org_is_called() -> None:
    said = content_of(items(opened(1)), name="Green\r\nBcc: x@evil", link=None, note=None, clean=same)
    mail = mail_of(delivery(said), "loyalty@example.com", ("a@example.com",))
    assert mail["Subject"] == "Green Bcc: x@evil: 1 new discrepancy"
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    ("alert", "line"),
    [
        (
            about_org(AlertKind.RUN_FAILED, "balances: no answer", run=DAILY),
            "The daily run 2026-01-30 failed while reading the balances: no answer. Verdicts stay as they were.",
        ),
        (
            about_org(AlertKind.RUN_FAILED, "who knows", run="x"),
            "The run x failed: who knows. Verdicts stay as they were.",
        ),
        (
            about_org(AlertKind.PROVIDER_UNAVAILABLE, "HTTP 503"),
            "Alpine IQ is unavailable: HTTP 503. Points from orders stay current, balances as they were. "
            "Nothing is said of customers until it answers.",
        ),
        (
            about_org(AlertKind.PROVIDER_RECOVERED, "Alpine IQ answers again. It was away for 3 minutes."),
            "Alpine IQ answers again. It was away for 3 minutes.",
        ),
        (about_org(AlertKind.PROVIDER_RECOVERED), "Alpine IQ answers again."),
        (about_org(AlertKind.REMOVAL_WITHHELD, "too many"), "Removal withheld: too many."),
    ],
)
def test_what_concerns_the_org_is_a_sentence_with_its_time(alert: Alert, line: str) -> None:
    (notice,) = content(*items(alert)).notices
    assert line_of_notice(notice, "America/New_York") == f"30 Jan 14:06  {line}"


def test_a_cause_is_common_when_two_have_it_and_who_is_over_is_named() -> None:
    alone = content(*items(opened(1), opened(2, cause=CauseKind.ROUNDING)))
    assert line_of_cause(alone) is None
    two = content(*items(opened(1), opened(2), opened(3, cause=None)))
    assert line_of_cause(two) == "The likely cause for 2 of 3: recent orders that Alpine IQ has not booked yet."
    assert (line_of_cause(content(*items(opened(1), opened(2)))) or "").startswith("The likely cause for all of them")
    over = content(*items(*(opened(n, difference=0, kind=AlertKind.DISCREPANCY_RESOLVED) for n in range(12))))
    assert line_of_resolved(over) == "Over: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more."
    assert line_of_resolved(two) is None


def test_a_trial_says_so_once_in_its_title_and_once_below() -> None:
    trial = replace_struct(delivery(Content(name="Green Leaf", note="It works.")), title="Green Leaf: test message")
    assert text_of(trial) == "Green Leaf: test message\n\nIt works.\n"
    (embed,) = webhook_body(trial)["embeds"]  # type: ignore[misc]  # as JSON has it
    assert (embed["title"], embed["description"]) == ("Green Leaf: test message", "It works.")
    assert mail_of(trial, "a@example.com", ("b@example.com",))["Subject"] == "Green Leaf: test message"
