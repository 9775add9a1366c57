"""Rows and kept maps, made into something to look at."""
