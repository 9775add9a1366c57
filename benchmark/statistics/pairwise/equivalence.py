"""Evidence that a mean difference lies within a margin, whatever the distribution, from the bound on a difference.

A t-test of equivalence takes the spread that it sees for the spread that there is: where few patients differ much, most
small studies see none of them. Here capital is staked against "the mean is at least the margin": every patient
multiplies it by 1 + stake x (margin - difference), which under that hypothesis gains nothing on average and never falls
below 0, so that it exceeds 1 / alpha with a probability of at most alpha (Markov). The stakes are fixed in advance: the
largest that the bound allows, which wins most where hardly anything varies, and a third of it, for wider spreads.

References:
    Waudby-Smith and Ramdas, J R Stat Soc B 86 (2024) 1-27, section 4.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
STAKES = (1.0, 1 / 3)
"""Parts of the largest possible stake; the capital is shared equally between them."""


def equivalence_p(values: Values, margin: float, bound: float) -> Values:
    """`(...)` p-values of the hypothesis that the mean lies at `margin` or further from 0.

    At most alpha of studies with such a mean have p <= alpha, for every n and every distribution within the bound.

    Args:
        values: `(..., n)` independent differences.
        bound: on |difference|, declared in advance; 1 for Dice. Infinite: nothing can be shown, 1.0.

    Examples:
        >>> equivalence_p(np.zeros(150), 0.02, 1.0) > 0.05 > equivalence_p(np.zeros(200), 0.02, 1.0)
        True
    """
    return np.maximum(_at_least(values, margin, bound), _at_least(-values, margin, bound))


def _at_least(values: Values, margin: float, bound: float) -> Values:
    """P-values of the hypothesis that the mean is `margin` or more: one over the capital."""
    from scipy.special import logsumexp

    stakes = np.array(STAKES)[:, None] / (bound - margin)
    with np.errstate(divide="ignore"):  # the whole capital may be lost
        capitals = np.log1p(np.maximum(stakes * (margin - values[..., None, :]), -1.0)).sum(axis=-1)
    return np.minimum(1.0, np.exp(-(logsumexp(capitals, axis=-1) - np.log(len(STAKES)))))
