"""The engine's ports in memory: the same agents, without Kafka, with deaths and delays at will.

Kafka's traits that correctness rests on are kept: transactions that end in a marker with an offset of its
own, aborted records that are never read, fencing by transactional id, murmur2 partitioning.
"""
