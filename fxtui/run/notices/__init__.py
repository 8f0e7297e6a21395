"""What a user who looks elsewhere should know of a run: that it holds, ended, stalls or runs out of disk; and how they
are told: by a command of theirs, the terminal's bell and its title. What stands on a screen is not here.
"""
