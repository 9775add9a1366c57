"""mean_over_dose: the area under a dose-response curve, divided by how far it reaches."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def mean_over_dose(doses: Values, values: Values) -> Values:
    """Trapezoid area from dose 0 to the highest, over the highest: in the unit of the values.

    Args:
        doses: `(L,)`, in any order; one of them is 0, that of the unshifted cell.
        values: `(..., L)` at these doses.

    Returns:
        `(...)`; NaN where a value is, and where no dose is above 0.

    Example:
        >>> float(mean_over_dose(np.array([0.0, 0.1, 0.3]), np.array([0.6, 0.4, 0.0])))
        0.3
    """
    order = np.argsort(doses, kind="stable")
    doses, values = doses[order], values[..., order]
    if not doses[-1] > 0:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(np.trapezoid(values, doses, axis=-1) / doses[-1])
