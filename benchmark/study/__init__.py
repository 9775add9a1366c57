"""What is to be run: Fit, Cell, Evaluation with keys, and the planner from a request to a Study."""
