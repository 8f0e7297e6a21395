"""The engine does the work: from a configuration to a trained run. It says what it does in events and obeys commands;
it knows no user interface.
"""
