"""The screens of the dashboard, a module each, and the small windows over them. A screen places panels and answers
keys; it draws nothing itself.
"""
