"""Pairs of panels: two methods over the patients, scans and seeds of which both have a number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.panel import Panel, Values
from datasets.words import count_text

ROUNDING = 1e-12
"""Differences up to this, relative or absolute, are none: sums in another order leave as much."""


def aligned(panels: Sequence[Panel]) -> list[Panel]:
    """The panels over the patients, scans and seeds that all of them have, in the order of the first."""
    shared = set[str].intersection(*(set(one.patients) for one in panels))
    patients = [name for name in panels[0].patients if name in shared]
    return over_common_scans([one.over(patients, _common_seeds(panels)) for one in panels])


def over_common_scans(panels: Sequence[Panel]) -> list[Panel]:
    """The panels with their patients averaged over the scans that have a number in all, under each common seed.

    Otherwise a patient of whom one panel lacks a scan would be compared with a mean of other scans. Panels without
    single scans stay as they are.
    """
    if any(one.single is None for one in panels):
        return list(panels)
    seeds = _common_seeds(panels)
    if all(one is panels[0] or _same_known(one, panels[0], seeds) for one in panels):
        return list(panels)
    known = [_known(one, seeds) for one in panels]
    shared = known[0].intersection(*known[1:])
    return [one if own == shared else _over(one, own - shared) for one, own in zip(panels, known, strict=True)]


def _common_seeds(panels: Sequence[Panel]) -> list[int]:
    return [seed for seed in panels[0].seeds if all(seed in one.seeds for one in panels)]


def _known(panel: Panel, seeds: Sequence[int]) -> set[tuple[str, int]]:
    """The scans and seeds with a number."""
    cases, defined = _defined(panel, seeds)
    return {(cases[case], seeds[seed]) for case, seed in np.argwhere(defined).tolist()}


def _same_known(one: Panel, other: Panel, seeds: Sequence[int]) -> bool:
    (cases, defined), (others, of_others) = _defined(one, seeds), _defined(other, seeds)
    return cases == others and np.array_equal(defined, of_others)


def _defined(panel: Panel, seeds: Sequence[int]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """The scans, and `(scans, seeds)` which of them has a number."""
    assert panel.single is not None
    columns = [panel.seeds.index(seed) for seed in seeds]
    return panel.single.cases, np.asarray(~np.isnan(panel.single.values[:, columns]).all(axis=2))


def _over(panel: Panel, left_out: set[tuple[str, int]]) -> Panel:
    """The panel without some scans under some seeds."""
    assert panel.single is not None
    values, places = panel.single.values.copy(), {case: place for place, case in enumerate(panel.single.cases)}
    for case, seed in left_out:
        values[places[case], panel.seeds.index(seed)] = np.nan
    return panel.averaged_over(replace(panel.single, values=values))


def difference(a: Panel, b: Panel) -> Panel:
    """`a - b` over the patients, scans and seeds that both have; NaN where either has no number."""
    first, second = aligned([a, b])
    values = first.values - second.values
    return replace(first, values=values, repeats=values[..., None], single=None)


@dataclass(frozen=True)
class Pair:
    """What two panels share.

    Attributes:
        a, b: `(n, s)`, complete; one line for each patient of `kept`.
        kept: `(all patients,)` of the panels, True for those that are in.
        seeds: of both methods; a seed redraws the healthy cases of both alike, so they are paired too.
        left_out_seeds: those that one of the methods lacks.
    """

    name_a: str
    name_b: str
    a: Values
    b: Values
    kept: NDArray[np.bool_]
    seeds: tuple[int, ...]
    left_out_seeds: tuple[int, ...]

    @cached_property
    def differences(self) -> Values:
        """`(n, s)` a - b; what only rounding leaves is 0."""
        return np.where(np.isclose(self.a, self.b, rtol=ROUNDING, atol=ROUNDING), 0.0, self.a - self.b)

    @cached_property
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
    def means(self) -> tuple[float, float]:
        """Of `a` and of `b`; NaN without a patient."""
        return (float(self.a.mean()), float(self.b.mean())) if self.n else (nan, nan)

    @property
    def sd(self) -> float:
        return float(self.by_patient.std(ddof=1)) if self.n > 1 else nan


def pair(a: Panel, b: Panel) -> Pair:
    """Patients, scans and seeds that two panels over the same patients have in common; nothing missing is filled in.

    Raises:
        ValueError: the panels are not of the same patients.
    """
    if a.patients != b.patients:
        raise ValueError(
            f"Got panels of {len(a.patients)} and {count_text(len(b.patients), 'patient')}, expected the same ones."
        )
    a, b = over_common_scans([a, b])
    absent = {*a.absent_seeds, *b.absent_seeds}
    seeds = tuple(seed for seed in a.seeds if seed in b.seeds and seed not in absent)
    columns_a, columns_b = ([panel.seeds.index(seed) for seed in seeds] for panel in (a, b))
    values_a, values_b = a.values[:, columns_a], b.values[:, columns_b]
    kept = np.asarray(~(np.isnan(values_a) | np.isnan(values_b)).any(axis=1))
    if not seeds:
        kept = np.zeros(len(a.patients), dtype=bool)
    left_out = tuple(sorted({*a.seeds, *b.seeds} - {*seeds}))
    return Pair(a.method, b.method, values_a[kept], values_b[kept], kept, seeds, left_out)
