"""Rows to summaries with intervals, paired comparisons and ranks; see docs/statistics.md."""
