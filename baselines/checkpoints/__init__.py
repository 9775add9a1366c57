"""Weights of others, read without running what is pickled in them."""
