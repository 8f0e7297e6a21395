"""All that knows the terminal: what is sent to it and how often, its colours and abilities, and the private parts of
Textual that this takes. Nothing here knows what a run is.
"""
