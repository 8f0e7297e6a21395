"""What the screens say, as pure functions from a run's state to lines. Nothing here is a widget."""
