"""Shifts of a plugin: one that works, and ways to go wrong."""

import numpy as np
from numpy.typing import NDArray

from datasets.shifts.shift import ShiftKind, View


def _halved(view: View, level: float) -> NDArray[np.float32]:
    return view.image * np.float32(1 - level / 2)


HALVED = ShiftKind(
    "halved",
    "halved",
    "representation",
    "of the way",
    (0.2, 0.4, 0.6, 0.8, 1.0),
    "from x to x / 2",
    _halved,
    highest=1.0,
)
NOT_A_KIND = "halved"
