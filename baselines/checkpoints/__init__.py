"""Weights published by others, read without running any code pickled in them."""
