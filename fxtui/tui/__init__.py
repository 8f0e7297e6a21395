"""The user interface in the terminal: the dashboard of a run, and the launcher that begins one. It knows neither
torch nor the engine.
"""
