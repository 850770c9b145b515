"""Alleaves, the point of sale: client, wire models, translation to facts, poller and complete walk."""
