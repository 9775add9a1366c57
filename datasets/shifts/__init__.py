"""Simulated changes of how a scan looks: named, with levels, seeded case by case; truth stays as it is."""

from datasets.shifts.shift import Shift

__all__ = ["Shift"]
