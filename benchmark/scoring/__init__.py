"""Kept maps of one cell to rows: ranking pass, threshold choice, decision pass."""
