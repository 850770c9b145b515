"""Accounts decide what each customer's points are, and whether the provider agrees."""

from stream.agents.accounts.agent import Accounts, accounts

__all__ = ["Accounts", "accounts"]
