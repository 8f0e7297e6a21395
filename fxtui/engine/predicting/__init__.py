"""One image through the network, step by step: while it trains, after it has ended, or from a checkpoint."""
