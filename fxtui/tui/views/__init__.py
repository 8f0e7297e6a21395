"""What the screens say, as pure functions from a run's state to lines."""
