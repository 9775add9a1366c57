"""Rank sets from pairs."""

import numpy as np
from comparisons import compared, patients

from benchmark.statistics.pairwise.paired_difference import rank_sets

BASE = patients(54, 1)


def test_what_pairs_separate_has_ranks_apart_and_the_rest_shares_them() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (3, 54, 1))
    noise -= noise.mean(axis=1, keepdims=True)
    values = {"low": BASE - 0.2 + noise[0], "middle": BASE + noise[1], "equal": BASE + noise[2]}
    assert rank_sets(list(values), compared(values)) == {"low": (3, 3), "middle": (1, 2), "equal": (1, 2)}


def test_too_few_patients_leave_every_rank_open() -> None:
    values = {"a": BASE[:4], "b": BASE[:4] + 0.5}
    assert rank_sets(["a", "b"], compared(values)) == {"a": (1, 2), "b": (1, 2)}
