"""Who calls, and what they may: keys, passwords, sessions, roles, limits."""
