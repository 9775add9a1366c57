"""Which subjects are for training, validation and test: committed lists, the rule that made them, and folds."""

from datasets.splits.assignment import split_of
from datasets.splits.folds import fold_table, learning_split, nested_subset, redraw
from datasets.splits.subjects import Subject, subjects_of

__all__ = ["Subject", "fold_table", "learning_split", "nested_subset", "redraw", "split_of", "subjects_of"]
