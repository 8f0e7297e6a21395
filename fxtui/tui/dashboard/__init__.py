"""The dashboard of a run: the application, what one can do in it, and its screens. What a panel is, and what it says,
lies in `widgets` and `views`.
"""
