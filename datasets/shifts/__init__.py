"""Simulated changes of a scan's appearance: named, with levels, seeded per case; masks never change."""

from datasets.shifts.shift import Shift

__all__ = ["Shift"]
