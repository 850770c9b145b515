"""The command line, `loyalty`: parse, call one function of `stream.bootstrap`, present what it answers."""

from stream.cli.app import main

__all__ = ["main"]
