"""Forgetting a person: what is published, in which order."""

from __future__ import annotations

from stream.contracts import topics
from stream.contracts.audit import Action
from stream.contracts.facts import FACTS, CustomerErased
from stream.contracts.names import account_key, customer_id, org_id
from stream.contracts.people import PEOPLE, PersonErased
from stream.engine.ports import Output, Publisher
from stream.web.auditing import audit_output

SOURCE = "erasure"


async def erase_person(publisher: Publisher, org: str, customer: str, *, by: str, reason: str, now: int) -> None:
    """Cut a customer's name, contact data and links, for good. Amounts of orders stay, without anybody's name.

    `people` comes before `facts`: once the links are cut, producers must not bring contact data back. `now`: UTC ms.
    Raises BadRecord for ids that cannot be, Unreachable when Kafka does not take it; it may be asked for again.
    """
    key = account_key(org_id(org), customer_id(customer))
    person = PEOPLE.encode(PersonErased(now), org=org, customer=customer, at=now, source=SOURCE)
    account = FACTS.encode(CustomerErased(now, by), org=org, customer=customer, at=now, source=SOURCE)
    await publisher.publish([audit_output(org, Action.CUSTOMER_ERASED, by, at=now, target=customer, reason=reason)])
    await publisher.publish([Output(topics.PEOPLE.name, key, person)])
    await publisher.publish([Output(topics.FACTS.name, key, account)])
