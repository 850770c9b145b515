from tests.ops.logging_as_it_was import logging_as_it_was

__all__ = ["logging_as_it_was"]
