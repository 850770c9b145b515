"""Puts the pieces together: `commands` has one coroutine per command."""
