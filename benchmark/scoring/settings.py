"""Settings: what of a cell is scored, and what thresholds may look at beyond it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import ALWAYS, METRICS, Metric
from benchmark.metrics.metric import Input
from benchmark.postprocessing.pipelines import Pipeline, pipeline_named
from benchmark.postprocessing.scores import HealthyResiduals, Score
from benchmark.study.protocols import FOLDS, Protocol, protocol_named

HealthyScans = Mapping[str, Mapping[str, Sequence[float]]]
"""By pipeline and protocol, what the protocol's `of_scan` makes of each healthy validation scan."""


@dataclass(frozen=True)
class Source:
    """Another cohort's thresholds.

    Attributes:
        digest: stands for the cases that they were taken from.
        thresholds: for each pipeline.
    """

    digest: str
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Settings:
    """What is scored, and what thresholds may look at beyond the scored cohort.

    Attributes:
        metrics: those that make rows.
        healthy: of the same fit under the same shift.
        sources: by the name of a cohort, for `transfer:COHORT`.
        residuals: of the fit's healthy training scans; None where no score asks for them.
        frozen: the unshifted cell's threshold for each pipeline and protocol; None for an unshifted cell.
    """

    pipelines: Sequence[Pipeline]
    protocols: Sequence[Protocol]
    metrics: Sequence[Metric]
    healthy: HealthyScans = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    residuals: HealthyResiduals | None = None
    frozen: Mapping[tuple[str, str], float] | None = None

    @property
    def scores(self) -> list[Score]:
        """Those that make maps anew, each once."""
        return list({one.score.name: one.score for one in self.pipelines if one.score is not None}.values())

    def metrics_of(self, kind: Input) -> list[Metric]:
        """The metrics whose functions take this."""
        return [metric for metric in self.metrics if metric.takes == kind]

    def wants(self, metric: str) -> bool:
        return any(one.name == metric for one in self.metrics)

    def groups(self, subjects: Sequence[str]) -> list[NDArray[np.bool_]]:
        """`(cases,)` each, which cases are of each group of patients; none where no threshold is cross-fitted."""
        if not any(protocol.rule == "crossed" for protocol in self.protocols):
            return []
        place = {subject: number % FOLDS for number, subject in enumerate(sorted(set(subjects)))}
        group = np.array([place[subject] for subject in subjects])
        return [group == number for number in sorted(set(place.values()))]


def settings_named(postprocessing: Iterable[str], protocols: Iterable[str], metrics: Iterable[str]) -> Settings:
    """The same by names; facts that rows are read by are always among the metrics.

    Raises:
        UnknownName, BadValue: a name that nothing is called by, or a plugin that cannot be used.
    """
    return Settings(
        [pipeline_named(name) for name in postprocessing],
        [protocol_named(name) for name in protocols],
        [METRICS[name] for name in dict.fromkeys([*metrics, *ALWAYS])],
    )
