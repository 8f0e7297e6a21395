"""What passes between engine, journal and views: events and commands, their records and schedules. It imports no other
part of fxtui.
"""
