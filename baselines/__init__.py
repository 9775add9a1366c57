"""The published methods that others are compared with, and the floors every method should beat."""
