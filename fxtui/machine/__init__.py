"""The machine that a run has to work with: its cores, memory and graphics processors, and what it is busy with.
Neither torch nor a user interface is known here.
"""
