"""What a run is: its state as a fold over events, its journal, its directory and lists of runs. Nothing here trains."""
