"""Files: atomic writes, NIfTI, the table of cases."""
