"""Measurements. Each says what it measured, on what, and names the commit; nothing here is a test."""
