"""Thresholds and the voxels they are chosen from."""
