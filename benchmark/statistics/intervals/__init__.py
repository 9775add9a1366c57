"""Intervals of means, proportions and variance components."""
