"""The dashboard measured from outside: started in a terminal of its own, given keys, its answers timed."""
