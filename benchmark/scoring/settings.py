"""Choices: what of a cell is evaluated, and what thresholds may look at beyond it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.registry import ALWAYS, SCORED
from benchmark.scoring.healthy_scans import HealthyScan
from benchmark.study.protocols import CROSSED, FOLDS


@dataclass(frozen=True)
class Source:
    """Another cohort's thresholds.

    Attributes:
        digest: stands for the cases that they were taken from.
        thresholds: for each chain.
    """

    digest: str
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Choices:
    """What is evaluated, and what thresholds may look at beyond the scored cohort.

    Attributes:
        healthy: `healthy_scans` of the same fit under the same shift, for the chains to evaluate.
        protocols: names of threshold protocols.
        sources: by the name of a cohort, for `transfer:COHORT`.
        metrics: names of those that make rows; facts that rows are read by always do.
        frozen: the unshifted cell's threshold for each chain and protocol; None for an unshifted cell.
    """

    healthy: Mapping[str, Sequence[HealthyScan]]
    protocols: Sequence[str]
    sources: Mapping[str, Source] = field(default_factory=dict)
    metrics: Collection[str] = SCORED
    frozen: Mapping[tuple[str, str], float] | None = None

    def wants(self, metric: str) -> bool:
        return metric in self.metrics or metric in ALWAYS

    def wanted(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in values.items() if self.wants(name)}

    def groups(self, subjects: Sequence[str]) -> list[NDArray[np.bool_]]:
        """`(cases,)` each, which cases are of each group of patients; none where no threshold is cross-fitted."""
        if CROSSED not in self.protocols:
            return []
        place = {subject: number % FOLDS for number, subject in enumerate(sorted(set(subjects)))}
        group = np.array([place[subject] for subject in subjects])
        return [group == number for number in sorted(set(place.values()))]
