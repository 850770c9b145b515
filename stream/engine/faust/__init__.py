"""The engine's ports over Kafka and RocksDB, and Faust as the one that assigns, recovers and delivers.

Faust is made to deliver record batches instead of single events: its cost is per event, so a batch of
thousands of records costs what one record would. Only documented hooks and overridable methods are used.
"""
