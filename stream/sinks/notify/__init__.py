"""Tells people: `alerts` and finished runs, grouped into messages, to Discord, mail and webhooks, each once."""
