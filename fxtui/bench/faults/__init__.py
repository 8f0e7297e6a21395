"""How a run fares when storage fails and processes are killed: faults made to order, and what came of each."""
