"""Slices of healthy volumes: sampling, augmentation, and random numbers that depend on seeds alone."""
