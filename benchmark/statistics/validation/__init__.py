"""Measured coverage and error rates of the intervals and tests."""
