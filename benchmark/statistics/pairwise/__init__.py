"""Paired comparisons, their corrections, and ranks."""
