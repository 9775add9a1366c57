"""Rows of a run to conclusions: endpoints, comparison, summaries, multiverse, calibration, ablation, implants."""
