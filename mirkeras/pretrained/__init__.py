"""Published networks with their weights: found, verified, and fast."""
