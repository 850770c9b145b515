"""The look-up of one customer: contact data read again, then the provider asked, best evidence first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from producers.alpine_iq import translate, wire
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import AlpineIQClient, FailedInSuccess
from producers.alpine_iq.movements import Movements
from producers.http import Clock, Rejected
from producers.identity import Identities, normalised_code, normalised_email
from producers.redaction import redacted
from stream.contracts import topics
from stream.contracts.facts import FACTS, LookUpEmpty, LookUpFailed
from stream.contracts.names import CustomerId, Identity, Millis, OrgId, account_key
from stream.engine.ports import Output, Publisher
from stream.errors import LoyaltyError, Unreachable, Unreadable, VendorError

log = structlog.get_logger(__name__)


class ContactData(NamedTuple):
    """How a customer can be reached, as the point of sale writes it. `partial`: there may be more."""

    code: str | None = None
    phones: tuple[str, ...] = ()
    email: str | None = None
    partial: bool = False


ContactsOf = Callable[[CustomerId], Awaitable[ContactData | None]]
"""Reads a customer's contact data again; None when nobody has it or the person was erased."""


class _Answer(NamedTuple):
    balance: translate.Balance
    observed_at: Millis
    raw: bytes


class BalanceLookUp:
    """Look-ups of one org."""

    def __init__(
        self,
        org: OrgId,
        client: AlpineIQClient,
        identities: Identities,
        publisher: Publisher,
        availability: Availability,
        contacts_of: ContactsOf,
        clock: Clock | None = None,
        movements: Movements | None = None,
    ) -> None:
        self._org = org
        self._client = client
        self._identities = identities
        self._publisher = publisher
        self._availability = availability
        self._contacts_of = contacts_of
        self._clock = clock or Clock()
        self._movements = movements

    async def look_up(self, run: str, customer: CustomerId) -> None:
        """Publish the customer's balance, or LookUpEmpty, or LookUpFailed. What moved the balance comes before it,
        where verdicts rest on that.

        Raises `Unreachable` when Kafka does not take the records (the contact data read on the way included).
        """
        started_at = Millis(int(self._clock.wall() * 1000))
        try:
            contacts = await self._contacts_of(customer)
        except Unreachable:
            raise
        except LoyaltyError as error:
            await self._failed(run, customer, started_at, f"contact data could not be read: {error}")
            return
        calls_before = self._client.http.budget.calls
        try:
            answer = await self._ask(contacts or ContactData())
        except VendorError as error:
            if not _of_one_customer(error):
                await self._availability.failed(error)
            await self._failed(run, customer, started_at, str(error))
            return
        if self._client.http.budget.calls > calls_before:  # whoever has no contact data is not asked for
            await self._availability.answered()
        if answer is None and contacts is not None and contacts.partial:
            await self._failed(run, customer, started_at, "the point of sale did not find the customer's contact data")
            return
        if answer is None:
            await self._tell(customer, started_at, LookUpEmpty(run, started_at))
            return
        await self._availability.answered()
        reason = await self._moved(answer.balance)
        if reason is not None:
            await self._failed(run, customer, started_at, reason)
            return
        await self._publisher.publish(self._outputs(answer, translate.Request(self._org, run, 0, customer)))

    async def _moved(self, balance: translate.Balance) -> str | None:
        """Publish what moved the balance, where verdicts rest on that. Why it must not be judged, if so."""
        if self._movements is None or not self._movements.decide:
            return None
        try:
            if not balance.contact:
                raise Unreadable("Alpine IQ does not say which contact the wallet is of")
            for identity in balance.identities:
                await self._movements.of(balance.contact, identity)
        except VendorError as error:
            return self._movements.failed(error)
        return None

    async def _ask(self, contacts: ContactData) -> _Answer | None:
        """The first answer, under the best identity of it that the customer holds: one answer, one verdict. None when
        the provider knows none."""
        held = self._identities.of(contacts.code, contacts.phones, contacts.email)
        answer = await self._by_code(contacts.code)
        for phone in contacts.phones if answer is None else ():
            if answer is None and (number := self._identities.e164(phone)) is not None:
                (asked,) = self._identities.of(None, (phone,), None)
                answer = await self._by_wallet(asked, phone=number)
        if answer is None and (email := normalised_email(contacts.email)) is not None:
            (asked,) = self._identities.of(None, (), email)
            answer = await self._by_wallet(asked, email=email)
        if answer is None:
            return None
        shared = [identity for identity in held if identity in answer.balance.identities]
        return answer._replace(balance=answer.balance._replace(identities=tuple(shared[:1])))

    async def _by_code(self, code: str | None) -> _Answer | None:
        contact = normalised_code(code)
        if contact is None:
            return None
        page = await self._client.members(0, 100, search=contact)
        for raw in page.rows:
            try:
                row = wire.member_row(raw)
            except Unreadable:
                continue
            if row.contact == contact:
                answer = _Answer(translate.member_balance(raw, self._identities), page.observed_at, raw)
                return answer if row.points is not None else await self._from_wallet(row, answer)
        return None

    async def _from_wallet(self, row: wire.MemberRow, answer: _Answer) -> _Answer:
        """The row came without points: the wallet has them, where the contact can be named to it."""
        phone = self._identities.e164(row.mobile_phone) or self._identities.e164(row.home_phone)
        if row.hidden or not (phone or row.email):
            return answer
        found = await self._client.wallet(phone=phone, email=row.email)
        if found is None or found.wallet.contact not in (None, row.contact):
            return answer
        wallet = translate.wallet_balance(found.wallet, answer.balance.identities[0], self._identities)
        balance = answer.balance._replace(points=wallet.points, problem=wallet.problem)
        return _Answer(balance, found.observed_at, found.raw)

    async def _by_wallet(
        self, asked: Identity, *, phone: str | None = None, email: str | None = None
    ) -> _Answer | None:
        found = await self._client.wallet(phone=phone, email=email)
        if found is None:
            return None
        return _Answer(translate.wallet_balance(found.wallet, asked, self._identities), found.observed_at, found.raw)

    def _outputs(self, answer: _Answer, request: translate.Request) -> list[Output]:
        outputs = translate.observations(answer.balance, answer.observed_at, request)
        if answer.balance.problem is not None:
            problem = answer.balance.problem
            outputs.append(translate.dead_letter(answer.raw, problem, answer.observed_at, self._org))
        return outputs

    async def _failed(self, run: str, customer: CustomerId, at: Millis, reason: str) -> None:
        reason = redacted(reason)
        log.warning("look-up failed, nothing is concluded from it", org=self._org, run=run, reason=reason)
        await self._tell(customer, at, LookUpFailed(run, at, reason))

    async def _tell(self, customer: CustomerId, at: Millis, body: LookUpEmpty | LookUpFailed) -> None:
        value = FACTS.encode(body, org=self._org, at=at, source=translate.SOURCE, customer=customer)
        await self._publisher.publish([Output(topics.FACTS.name, account_key(self._org, customer), value)])


def _of_one_customer(error: VendorError) -> bool:
    """Whether the provider answered, and what it says may be about this customer alone: one odd address is no outage.
    Were it one, the next sweep would say so."""
    return isinstance(error, Rejected | FailedInSuccess) or type(error) is Unreadable
