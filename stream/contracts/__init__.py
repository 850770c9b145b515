"""What travels between producers, agents and sinks: topics, events and their fields.

Nothing here decides anything and nothing here does I/O. Times are UTC milliseconds since the epoch
(`*_at`), money is integer minor units (`*_minor`) of the currency beside it, points are integers.
"""
