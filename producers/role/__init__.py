"""The producer role (`loyalty poll`): who works for which org, and on which commands."""
