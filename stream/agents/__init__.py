"""Agents decide. They touch their own state and what they emit: no HTTP, no clock, no randomness."""
