"""Contacts join what the point of sale and the provider know by: identity to customer, identity to balance."""

from stream.agents.contacts.agent import Contacts, contacts

__all__ = ["Contacts", "contacts"]
