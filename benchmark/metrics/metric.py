"""Metric, what is known of a number and the function that computes it; and the inputs of such functions."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any, Literal, Protocol

import numpy as np

from benchmark.metrics.ground_truth import GroundTruth, Prediction
from benchmark.metrics.lesionwise import Matches
from benchmark.metrics.masks import Mask, Scores
from benchmark.metrics.ranking import Ranking, ap_of, best_dice_of
from benchmark.metrics.surface_distance import Points
from datasets.case import Case
from datasets.errors import BadValue

Input = Literal["ground truth", "ranking", "prediction", "reconstruction", "pool", "curve", "run"]
"""What a metric's function takes: a GroundTruth, RankedMap, Decision, Reconstruction, Pool or FrocCurve. `run`: the
program measures or knows the number itself, and there is no function."""
Cases = Literal["all", "healthy", "lesion", "labelled", "implanted"]
"""The cases that have a number: all; those without or with a lesion, if only one that the grid does not show; those
with a lesion mask, if only an empty one; those whose lesion was implanted into a scan that is known without it."""
Per = Literal["case", "cohort"]


@dataclass(frozen=True)
class RankedMap:
    """The scored voxels of one case, ranked by their scores.

    Attributes:
        filtered: before small components go.
        finished: through the whole pipeline.
    """

    truth: GroundTruth
    filtered: Ranking
    finished: Ranking

    @property
    def box(self) -> Ranking:
        """`filtered` with the background, whose scores are 0."""
        counted = int(np.count_nonzero(~self.truth.ignored))
        beyond = counted - self.truth.lesion.size - self.truth.outside_brain
        return self.filtered.padded(self.truth.outside_brain, beyond, missed=self.truth.off_grid)

    @cached_property
    def average_precision(self) -> float:
        """Of the brain's voxels."""
        return ap_of(self.filtered)

    @cached_property
    def best(self) -> tuple[float, float]:
        """The best Dice through the whole pipeline, and the highest threshold that reaches it."""
        return best_dice_of(self.finished)


@dataclass(frozen=True)
class Decision:
    """What is predicted of one case at one threshold, through the whole pipeline."""

    truth: GroundTruth
    prediction: Prediction

    @cached_property
    def counts(self) -> tuple[int, int, float]:
        """Voxels: true positives, TP + FP, and TP + FN."""
        voxels = self.prediction.voxels
        return int(np.count_nonzero(self.truth.lesion[voxels])), voxels.size, self.truth.positives

    @cached_property
    def matches(self) -> Matches:
        """Which lesions are found."""
        return self.truth.matches(self.prediction)

    @cached_property
    def bounded_matches(self) -> Matches:
        """Which lesions are found by components that are not mostly elsewhere."""
        return self.truth.bounded_matches(self.prediction)

    @cached_property
    def distances(self) -> tuple[Points, Points]:
        """In mm between the surfaces, both ways; neither prediction nor lesion is empty."""
        return self.truth.surface.distances(self.truth.places[self.prediction.voxels])


@dataclass(frozen=True)
class Reconstruction:
    """A case's image in one sequence and its reconstruction, all `(X, Y, Z)`.

    Attributes:
        brain: without what is ignored.
        box: every voxel that is not ignored.
        lesion: all False in a healthy case.
        spacing: voxel edges in mm.
        host: the scan without the implanted lesion; the image itself where no lesion was implanted.
        kinds: the kinds of cases that this one is of; see `Metric.cases`.
    """

    image: Scores
    reconstruction: Scores
    brain: Mask
    box: Mask
    lesion: Mask
    spacing: tuple[float, float, float]
    host: Scores
    kinds: frozenset[str]

    @property
    def healthy(self) -> Mask:
        """The brain without the lesion."""
        return self.brain & ~self.lesion

    @property
    def inside(self) -> Mask:
        """The lesion within the brain."""
        return self.brain & self.lesion


def reconstruction_of(
    case: Case, reconstruction: Scores, host: Scores | None = None, *, channel: int = 0
) -> Reconstruction:
    """One sequence of a case under its metrics, with the scan without the implanted lesion where there is one."""
    lesion = np.zeros_like(case.brain_mask) if case.lesion_mask is None else case.lesion_mask
    box = np.ones_like(lesion) if case.ignore_mask is None else ~case.ignore_mask | lesion
    known = {"all": True, "labelled": case.lesion_mask is not None, "implanted": host is not None}
    kinds = frozenset(name for name, holds in known.items() if holds)
    image = case.image[channel]
    healthy_scan = image if host is None else host
    return Reconstruction(image, reconstruction, case.brain_mask & box, box, lesion, case.spacing, healthy_scan, kinds)


class Pool(Protocol):
    """The brain voxels of a cohort's lesion cases, ranked together before small components go."""

    @property
    def average_precision(self) -> float:
        """NaN without lesion."""


@dataclass(frozen=True)
class Metric:
    """A number that rows hold.

    Attributes:
        function: of the input that `takes` names; the first line of its docstring is the metric's definition. None
            for what the program measures or knows itself.
        higher_is_better: None where a value is neither good nor bad.
        over: the voxels, or what else is counted, on the study's grid.
        per: a row a case, or one row for all cases of a cohort.
        unit: empty for pure numbers.
        range: lowest and highest value that there can be.
        undefined: when the value is NaN.
        definition: of a metric without function.
        patient_score: whether it is a score of a whole case, of which summaries give how well it tells patients from
            healthy people; cases of all kinds have it.
        revision: raised with every change of the function that changes a number.
        origin: a plugin's distribution and version; "" for a built-in.

    Examples:
        >>> from benchmark.metrics import METRICS
        >>> METRICS["hd95"].unit, METRICS["hd95"].higher_is_better
        ('mm', False)
    """

    name: str
    title: str
    function: Callable[[Any], float] | None = field(repr=False)
    takes: Input
    higher_is_better: bool | None
    over: str
    cases: Cases = "all"
    undefined: str = "never"
    unit: str = ""
    range: tuple[float, float] = (0.0, 1.0)
    per: Per = "case"
    definition: str = ""
    patient_score: bool = False
    revision: int = 1
    origin: str = ""

    @property
    def what(self) -> str:
        """Its definition in a line."""
        documented = self.definition or self.function.__doc__ or ""
        return documented.strip().partition("\n")[0].rstrip(".")

    @property
    def needs_map(self) -> bool:
        """Whether its numbers depend on the post-processing."""
        return self.takes in ("ranking", "prediction", "pool", "curve")

    @property
    def needs_threshold(self) -> bool:
        """Whether its numbers depend on the threshold."""
        return self.takes == "prediction"

    @property
    def stamp(self) -> str:
        """What tells numbers of one definition from those of another: the name, with revision and origin."""
        return " ".join(filter(None, (f"{self.name}@{self.revision}", self.origin)))


def compute(metrics: Iterable[Metric], case: object, kinds: Collection[str]) -> dict[str, float]:
    """Each metric whose cases are of these kinds, of an input that its function takes."""
    return {one.name: float(one.function(case)) for one in metrics if one.function and one.cases in kinds}


def compare_reconstruction(
    metrics: Iterable[Metric], case: Case, reconstruction: Scores, host: Scores | None = None
) -> dict[str, float]:
    """Each metric of a reconstruction, the mean over the sequences.

    Args:
        reconstruction: `(C, X, Y, Z)`, and so is the scan without the implanted lesion, `host`, where there is one.
    """
    chosen = list(metrics)
    pairs = [
        reconstruction_of(case, volume, None if host is None else host[channel], channel=channel)
        for channel, volume in enumerate(reconstruction)
    ]
    each = [compute(chosen, pair, pair.kinds) for pair in pairs]
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


POSITIVE = (0.0, inf)
"""Range of a number without an upper bound."""

_OF_SCANS: tuple[Cases, ...] = ("all", "healthy", "lesion", "labelled")
SCORED: Mapping[Input, tuple[Per, tuple[Cases, ...]]] = {
    "ground truth": ("case", _OF_SCANS),
    "ranking": ("case", _OF_SCANS),
    "prediction": ("case", (*_OF_SCANS, "implanted")),
    "reconstruction": ("case", ("all", "labelled", "implanted")),
    "pool": ("cohort", ("all",)),
    "curve": ("cohort", ("all",)),
}
"""Of each input of a function what a row is of, and the cases that have rows; no other metric is ever computed."""


def check_metric(metric: Metric) -> None:
    """Refuse a plugin's metric that no row could hold.

    Raises:
        BadValue: it has no function, or no case ever has a number of what it takes.
    """
    if metric.function is None or metric.takes == "run" or not metric.what:
        raise BadValue(
            f"Metric '{metric.name}': got {'no function' if metric.function is None else f'one of {metric.takes!r}'}, "
            "expected a function whose docstring defines the metric, and what it takes."
        )
    if metric.takes not in SCORED:
        raise BadValue(f"Metric '{metric.name}': got takes={metric.takes!r}, expected one of: {', '.join(SCORED)}.")
    if metric.patient_score and metric.cases != "all":
        raise BadValue(f"Metric '{metric.name}': got patient_score of {metric.cases} cases, expected of all cases.")
    per, cases = SCORED[metric.takes]
    if metric.per != per or metric.cases not in cases:
        raise BadValue(
            f"Metric '{metric.name}': got per={metric.per!r} and cases={metric.cases!r} of {metric.takes!r}, "
            f"expected per={per!r} and cases one of: {', '.join(cases)}."
        )
