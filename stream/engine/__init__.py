"""The streaming engine: units of records, one transaction each, with state that knows its own position."""
