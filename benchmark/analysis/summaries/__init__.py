"""Every number of a run's methods, made of its rows: the lines of `summary.csv` and `comparisons.csv`."""
