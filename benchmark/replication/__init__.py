"""Published studies as data, and what a run's numbers say of theirs."""
