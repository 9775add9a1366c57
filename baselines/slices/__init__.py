"""Slices of volumes: what a training or a reconstruction draws, and from which random numbers."""
