"""Files: whole writes, NIfTI, CSV tables."""
