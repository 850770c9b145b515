"""The world behind the simulated vendors: a shop's year of trade, by seed, without a clock of its own."""
