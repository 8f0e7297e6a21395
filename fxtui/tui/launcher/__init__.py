"""The launcher: the list of what is here to go on with, and the form for a new run. It trains nothing; it says what
was chosen.
"""
