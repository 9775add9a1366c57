"""Distances of patch features from those of healthy brains: PaDiM and PatchCore."""
