"""Defects of data, reported before anything is computed: splits, files, geometry, masks, duplicates, drift."""
