"""Simple baselines that every method should beat."""
