"""STRATA: sizes of lesions, by volume."""

import numpy as np

ALL_SIZES = "all"
STRATA = {
    ALL_SIZES: (0.0, np.inf),
    "<0.1 ml": (0.0, 0.1),
    "0.1-1 ml": (0.1, 1.0),
    "1-10 ml": (1.0, 10.0),
    ">=10 ml": (10.0, np.inf),
}
"""Sizes of lesions, from and below so many ml."""


def strata_of(volume_ml: float) -> list[str]:
    """The strata that a volume lies in: `all` and one other."""
    return [name for name, (low, high) in STRATA.items() if low <= volume_ml < high]
