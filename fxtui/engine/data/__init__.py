"""Images: where they come from, how they are split, decoded, augmented and put in order."""
