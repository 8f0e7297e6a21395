"""The training of a run that stands: epochs of batches, their end, freezing moved between two of them, what is kept.
What a single step is made of is in `optimization/`, what batches are made of in `features/`.
"""
