"""A training step and what it is made of: precision, optimizer and its groups, learning rates, averages of the weights,
weights of the classes.
"""
