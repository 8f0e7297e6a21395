"""Panels, lists and fields. They are given what they show, and post messages; they know no application and no screen of
theirs.
"""
