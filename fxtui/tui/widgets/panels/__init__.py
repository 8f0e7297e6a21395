"""The panels of the screens, by what they tell of. What all of them are lies above, in `panel`, and lists beside it."""
