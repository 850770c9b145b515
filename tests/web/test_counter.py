"""At the counter: the brief's nested answer, and the explanation."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.people import Person, PersonErased
from stream.contracts.profiles import Verdict
from stream.web.phones import e164, masked_email, masked_phone
from stream.web.problems import Problem
from stream.web.service import LoyaltySync
from tests.sinks.records import AT, ORG, a_profile, case_record, person_record, profile_record
from tests.web.world import CASE, DISCREPANCY, OTHER, World, world_of


async def test_the_answer_is_the_briefs(world: World) -> None:
    answer = await world.site.service.check_points("+15551234567", ORG)
    assert answer["primary"] == {"points": 475, "tier": "Bronze", "source": "alpine_iq"}
    assert answer["calculated"] == {"points": 450, "tier": "Bronze", "source": "orders"}
    assert answer["reconciliation"] == {"reconciled": True, "discrepancy": 25, "needsReview": False}
    assert answer["message"] == "You have 475 points. 25 more and you are Silver."
    assert answer["asOf"]["balance"] == "2026-01-30T20:21:58.003Z"


@pytest.mark.parametrize(
    "phone",
    ["+15551234567", "5551234567", "(555) 123-4567", "555.123.4567", "1-555-123-4567", " +1 555 123 4567 ",
     "tel:+1-555-123-4567", "٥٥٥١٢٣٤٥٦٧", "555 123 4567 ext. 9"],
)  # fmt: skip
async def test_a_phone_number_is_taken_in_any_usual_form(world: World, phone: str) -> None:
    assert (await world.site.service.check_points(phone, ORG))["customerId"] == "3528"


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("+15559999999", "unknown_phone"),
        ("+15550001111", "ambiguous_phone"),
        ("call me", "unreadable_phone"),
        ("12", "unreadable_phone"),
        ("", "unreadable_phone"),
        ("9" * 1000, "unreadable_phone"),
    ],
)
async def test_a_number_that_leads_to_nobody_is_an_answer(world: World, phone: str, reason: str) -> None:
    answer = await world.site.service.check_points(phone, ORG)
    assert (answer["found"], answer["reason"], answer["primary"]) == (False, reason, None)
    assert answer["message"]


async def test_a_number_is_read_as_in_the_orgs_country(tmp_path: Path) -> None:
    world = world_of(tmp_path, [person_record("8", Person("Ada", ("+442079460018",), None, AT))])
    service = LoyaltySync(world.views, world.log, regions={ORG: "GB"}, clock=world.clock)
    assert (await service.check_points("020 7946 0018", ORG))["customerId"] == "8"
    assert (await world.site.service.check_points("020 7946 0018", ORG))["found"] is False


async def test_points_that_only_orders_know_are_said_to_be(world: World) -> None:
    answer = await world.site.service.check_points("+15557654321", ORG)
    assert answer["primary"] == {"points": 40, "tier": "Bronze", "source": "orders"}
    assert answer["reconciliation"] == {"reconciled": False, "discrepancy": None, "needsReview": False}


async def test_somebody_who_was_erased_is_found_no_more(world: World) -> None:
    world.log.write([person_record("3528", PersonErased(AT + 1))])
    assert (await world.site.service.check_points("+15551234567", ORG))["reason"] == "unknown_phone"


async def test_a_changed_number_leads_to_its_new_owner_alone(world: World) -> None:
    world.log.write([person_record("3528", Person("Zoë Quinn", ("+15550009999",), None, AT + 1))])
    world.log.write([person_record("8", Person("Bob O'Neil", ("+15551234567",), None, AT + 1))])
    assert (await world.site.service.check_points("+15551234567", ORG))["customerId"] == "8"
    assert (await world.site.service.check_points("+15550009999", ORG))["customerId"] == "3528"


async def test_another_orgs_customer_is_not_found(world: World) -> None:
    assert (await world.site.service.check_points("+15551234567", OTHER))["reason"] == "unknown_phone"
    with pytest.raises(Problem):
        await world.site.service.check_points("+15551234567", "none")


async def test_an_explanation_has_what_to_say_and_what_lies_behind(world: World) -> None:
    found = await world.site.service.explain_points("7", ORG)
    assert found["sayToCustomer"] == "You have 449 points. 51 more and you are Silver. We are checking this number."
    assert found["staffOnly"] == [
        "Alpine IQ shows 500, orders give 449: 51 too many.",
        "+40: adjusted by hand at Alpine IQ.",
        "+11: not explained.",
        f"Case {CASE.id} is open.",
        "Alpine IQ has not answered since 2026-01-30T20:21:58.003Z.",
    ]
    assert (found["unexplained"], found["caseId"], found["pointsToNextTier"]) == (11, CASE.id, 51)
    assert sum(cause["points"] for cause in found["causes"]) == found["discrepancy"]
    for secret in ("Alpine", "case", "adjust"):
        assert secret not in found["sayToCustomer"]


SOON = "Your latest purchase should show within a day."


@pytest.mark.parametrize(
    ("fields", "causes", "said"),
    [
        ({"verdict": Verdict.MATCHED, "points_from_alpine": 1, "discrepancy": 0}, (), ""),
        ({"verdict": Verdict.UNKNOWN}, (), "That is counted from your purchases here."),
        ({"verdict": Verdict.TIMING, "points_from_alpine": 9, "discrepancy": 8}, (), SOON),
        (DISCREPANCY, (Cause(CauseKind.PROVIDER_LAG, 51, ("88",), 1),), SOON),
    ],
)  # fmt: skip
async def test_what_is_said_fits_the_verdict(
    world: World, fields: dict[str, object], causes: tuple[Cause, ...], said: str
) -> None:
    world.log.write([profile_record("9", a_profile(1, **fields))])
    if causes:
        world.log.write([case_record("9", replace(CASE, id=f"{ORG}:9:1", causes=causes))])
    points = "You have 1 point. 499 more and you are Silver."
    assert (await world.site.service.explain_points("9", ORG))["sayToCustomer"] == f"{points} {said}".strip()


async def test_the_highest_tier_has_no_next(world: World) -> None:
    world.log.write([profile_record("9", a_profile(2000, tier="Gold"))])
    found = await world.site.service.explain_points("9", ORG)
    assert (found["nextTier"], found["pointsToNextTier"]) == (None, None)
    assert found["sayToCustomer"].startswith("You have 2,000 points. You are Gold.")


async def test_whoever_is_asked_about_may_be_a_number_or_an_id(world: World) -> None:
    service = world.site.service
    assert (await service.explain_points("(555) 123-4567", ORG))["customerId"] == "3528"
    assert (await service.explain_points("3528", ORG))["customerId"] == "3528"
    assert (await service.explain_points("nobody", ORG))["reason"] == "unknown_customer"
    shared = await service.explain_points("+15550001111", ORG)
    assert (shared["reason"], shared["staffOnly"]) == ("ambiguous_phone", ["These customers share the number: 7, 8."])


async def test_the_report_is_of_one_customer_or_a_problem(world: World) -> None:
    report = await world.site.service.get_reconciliation_report("3528", ORG)
    assert report["customer"]["points"] == 475
    with pytest.raises(Problem):
        await world.site.service.get_reconciliation_report("none", ORG)


@pytest.mark.parametrize(("phone", "shown"), [("+15551234567", "•••4567"), ("12345", "•••"), ("", "•••")])
def test_a_masked_number_keeps_its_end(phone: str, shown: str) -> None:
    assert masked_phone(phone) == shown


@pytest.mark.parametrize(("email", "shown"), [("zoe@mail.example.com", "z•••@•••.com"), ("none", "•••")])
def test_a_masked_address_keeps_next_to_nothing(email: str, shown: str) -> None:
    assert masked_email(email) == shown


def test_a_possible_number_is_judged_by_length() -> None:
    assert e164("555 123 4567") == "+15551234567"
    assert e164("555 123 456 789 000 1") is None


def test_an_address_is_found_whatever_its_case(world: World) -> None:
    assert world.views.customers_at_email(ORG, "ZOE@Example.com") == ["3528"]
