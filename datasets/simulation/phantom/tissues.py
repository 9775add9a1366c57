"""Relaxation times of tissues at 3 T, healthy and diseased."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Tissue = Literal["grey", "white", "csf", "lesion"]


@dataclass(frozen=True)
class Relaxation:
    """Proton density (1 = water) and relaxation times in ms at 3 T."""

    density: float
    t1: float
    t2: float


RELAXATION: Mapping[Tissue, Relaxation] = {
    "grey": Relaxation(0.82, 1331, 110),
    "white": Relaxation(0.70, 832, 80),
    "csf": Relaxation(1.00, 4000, 1500),
    "lesion": Relaxation(0.92, 1700, 170),
}
