"""The truth about every layer, read from the parameters themselves, and what watches that it stays true.

What freezes and thaws them is in `freezing/`.
"""
