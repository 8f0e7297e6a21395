"""Figures of a training: losses and hits by batch, validation, pace, and what is said of an epoch.

How they are drawn is the dashboard's.
"""
