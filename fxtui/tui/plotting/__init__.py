"""Plots as lines of text. `figure` puts them together; only `canvas` knows the plot library, and nothing here knows
a run.
"""
