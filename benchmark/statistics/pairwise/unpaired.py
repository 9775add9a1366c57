"""The published test, for comparison only: an unpaired permutation of two methods' values.

It shuffles values between the methods as if they were of different patients, so that what patients have in common,
most of the variance, counts as noise. It is never what a claim here rests on.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
ROUNDS = 10_000


def unpaired_permutation_p(a: Values, b: Values, *, seed: int = 0, rounds: int = ROUNDS) -> float:
    """Two-sided p-value of the difference of two means under random relabelling.

    Args:
        a, b: `(n,)` and `(m,)`, without NaN.
    """
    pooled = np.concatenate([a, b])
    observed = abs(a.mean() - b.mean())
    rng = np.random.default_rng(seed)
    most = max(1, 1_000_000 // pooled.size)
    reached = 0
    for start in range(0, rounds, most):
        size = min(most, rounds - start)
        shuffled = rng.permuted(np.broadcast_to(pooled, (size, pooled.size)), axis=1)
        first = shuffled[:, : a.size].sum(axis=1)
        gap = np.abs(first / a.size - (pooled.sum() - first) / b.size)
        reached += int((gap >= observed * (1 - 1e-9)).sum())
    return (reached + 1) / (rounds + 1)
