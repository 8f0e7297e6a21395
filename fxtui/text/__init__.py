"""Numbers, lines, columns and signs as they are printed, by the cells they take. Nothing here knows what they tell
of, or which program shows them.
"""
