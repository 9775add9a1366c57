"""Pair: two methods' numbers of the same patients and training seeds, subtracted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.panel import Panel

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """What two panels share.

    Attributes:
        a, b: `(n, s)`, complete; a line a patient of `kept`.
        kept: `(all patients,)` of the panels, True for those that are in.
        seeds: that both methods have; a seed redraws the healthy cases of both alike, so they are paired too.
        left_out_seeds: that one of the methods lacks.
    """

    name_a: str
    name_b: str
    a: Values
    b: Values
    kept: NDArray[np.bool_]
    seeds: tuple[int, ...]
    left_out_seeds: tuple[int, ...]

    @property
    def differences(self) -> Values:
        """`(n, s)` a - b."""
        return self.a - self.b

    @property
    def by_patient(self) -> Values:
        """`(n,)` the differences, seeds averaged."""
        return self.differences.mean(axis=1) if self.seeds else np.empty(0)

    @property
    def n(self) -> int:
        return len(self.a)

    @property
    def left_out(self) -> int:
        """Patients that lack a number of either method under any common seed."""
        return int((~self.kept).sum())

    @property
    def sd(self) -> float:
        return float(self.by_patient.std(ddof=1)) if self.n > 1 else float("nan")


def pair(a: Panel, b: Panel) -> Pair:
    """Patients and seeds that two panels over the same patients have in common; nothing missing is filled in.

    Raises:
        ValueError: the panels are not of the same patients.
    """
    if a.patients != b.patients:
        raise ValueError(f"Got panels of {len(a.patients)} and {len(b.patients)} patients, wanted the same ones.")
    absent = {*a.absent_seeds, *b.absent_seeds}
    seeds = tuple(seed for seed in a.seeds if seed in b.seeds and seed not in absent)
    columns_a, columns_b = ([panel.seeds.index(seed) for seed in seeds] for panel in (a, b))
    values_a, values_b = a.values[:, columns_a], b.values[:, columns_b]
    kept = np.asarray(~(np.isnan(values_a) | np.isnan(values_b)).any(axis=1))
    if not seeds:
        kept = np.zeros(len(a.patients), dtype=bool)
    left_out = tuple(sorted({*a.seeds, *b.seeds} - {*seeds}))
    return Pair(a.method, b.method, values_a[kept], values_b[kept], kept, seeds, left_out)
