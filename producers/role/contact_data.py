"""A customer's contact data, read again at the point of sale for a look-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from producers.alleaves.client import AlleavesClient
from producers.alleaves.records import customer_records
from producers.alleaves.translate import DeadLetter, Translator
from producers.alleaves.wire import WireCustomer
from producers.alpine_iq.lookup import ContactData
from stream.contracts.names import CustomerId, OrgId
from stream.contracts.people import Person
from stream.engine.ports import Publisher
from stream.errors import Unreadable


class AlleavesContacts:
    """Reads, publishes what was read (so that links follow) and returns it."""

    def __init__(
        self,
        org: OrgId,
        client: AlleavesClient,
        translator: Translator,
        publisher: Publisher,
        person_of: Callable[[CustomerId], Awaitable[Person | None]],
    ) -> None:
        self._org = org
        self._client = client
        self._translator = translator
        self._publisher = publisher
        self._person_of = person_of

    async def __call__(self, customer: CustomerId) -> ContactData | None:
        """None: the person was erased. Raises `VendorError` when the point of sale cannot say.

        Nobody knows what its search matches: when it does not find the customer, what was last known is returned as
        `partial`.
        """
        if customer in self._translator.erased:
            return None
        person = await self._person_of(customer) or Person("")
        known = tuple(filter(None, (*person.phones, person.email)))
        found = await self._client.find_customer(customer, known)
        if found is None:
            return ContactData(None, person.phones, person.email, partial=True)
        item, page = found
        seen = self._translator.customer(item, page.started_at)
        if isinstance(seen, DeadLetter):
            raise Unreadable(f"Alleaves sent a customer that cannot be read: {seen.reason}")
        await self._publisher.publish(customer_records(self._org, seen))
        wire = WireCustomer.model_validate(item.document)
        return ContactData(wire.alpine_user_code, tuple(filter(None, (wire.phone, wire.phone2))), wire.email)
