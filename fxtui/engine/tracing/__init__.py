"""The forward of a model as a graph, and which of its parts are random in their present modes."""
