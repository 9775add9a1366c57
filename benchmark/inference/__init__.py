"""A fitted detector over a stream of cases, fast and exact; one scan in its own space."""
