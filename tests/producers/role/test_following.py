from __future__ import annotations

import asyncio

from producers.role.following import ErasedPeople, OrgsWithSettings
from stream.contracts.names import OrgId, account_key
from stream.contracts.people import PEOPLE, Person, PersonErased
from stream.contracts.settings import SETTINGS, Compare, OrgSettings, SettingsInForce
from stream.errors import Unreachable
from tests.producers.waiting import until
from tests.recording import RecordingPublisher

ORG = OrgId("brand_example")
KEY = account_key(ORG, "7")
ERASED = PEOPLE.encode(PersonErased(5), org=ORG, at=5, source="api", customer="7")
WRITTEN = PEOPLE.encode(Person('A "PersonErased" B', ("+15551234567",)), org=ORG, at=4, source="alleaves", customer="7")


def test_the_erased_of_an_org_are_known_to_those_who_hold_the_set() -> None:
    people = ErasedPeople()
    erased, others = people.of(ORG), people.of(OrgId("other"))
    people.apply(account_key(ORG, "8"), PEOPLE.encode(Person("B"), org=ORG, at=1, source="alleaves", customer="8"))
    people.apply(KEY, ERASED)
    people.apply(account_key(ORG, "9"), None)
    people.apply(account_key(ORG, "9"), b'"PersonErased" that cannot be read')
    assert (erased, others) == ({"7"}, set())


def test_a_name_that_speaks_of_erasure_erases_nobody() -> None:
    people = ErasedPeople()
    people.apply(KEY, WRITTEN)
    assert people.of(ORG) == set()


async def test_whoever_is_written_again_after_the_erasure_is_erased_again() -> None:
    people = ErasedPeople()
    publisher = RecordingPublisher(failures=[Unreachable("away")])
    people.apply(KEY, ERASED)
    people.apply(KEY, PEOPLE.encode(Person("A"), org=ORG, at=9, source="alleaves", customer="7"))
    task = asyncio.create_task(people.restore(publisher))
    await until(lambda: publisher.records)
    task.cancel()
    assert [(record.key, record.value) for record in publisher.of("people")] == [(KEY, ERASED)]
    assert people.of(ORG) == {"7"}


def test_what_balances_are_compared_with_is_what_the_settings_in_force_say() -> None:
    settings = OrgsWithSettings()
    assert settings.compare(ORG) is Compare.RAW, "before any were read"
    for version, compare in ((1, Compare.RAW), (2, Compare.EXPECTED)):
        body = SettingsInForce(version, OrgSettings(compare=compare))
        settings.apply(ORG.encode(), SETTINGS.encode(body, org=ORG, at=1, source="runs"))
    assert settings.compare(ORG) is Compare.EXPECTED
    settings.apply(ORG.encode(), b"not settings")
    settings.apply(b"\xff", b"not even a name")
    settings.apply(ORG.encode(), None)
    assert settings.compare(ORG) is Compare.EXPECTED
    assert settings.compare(OrgId("other")) is Compare.RAW
