"""Tables of a cell's lesions: the level at which each is found, FROC, and lesion recall by size of the lesion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.lesionwise import STRATA, FrocCurve, lesion_levels
from benchmark.metrics.metric import Decision

Numbers = NDArray[np.float64]
POINTS = 20  # thresholds of a curve, spread evenly over the lesions
COLUMNS = ("postprocessing", "protocol", "split", "stratum", "metric")


@dataclass
class Lesions:
    """The lesions of a cohort, or of a part of it.

    Attributes:
        cases: whose they are, each a case and its subject.
        levels: for each case, `(lesions,)` the score below which a threshold has to lie for each to be found; 0 for
            one that cannot be.
        volumes: for each case, `(lesions,)` in ml.
    """

    cases: list[tuple[str, str]] = field(default_factory=list)
    levels: list[Numbers] = field(default_factory=list)
    volumes: list[Numbers] = field(default_factory=list)

    def add(self, truth: GroundTruth, scores: NDArray[np.float32]) -> None:
        """Add a case by its scores `(V,)` through the whole pipeline; lesion outside the brain scores 0."""
        of_lesion = truth.volume(scores)[truth.mask]
        self.cases.append((truth.files.case_id, truth.files.subject_id))
        self.levels.append(np.append(lesion_levels(of_lesion, truth.lesions), np.zeros(len(truth.lost_ml))))
        self.volumes.append(truth.lesion_volumes)

    def thresholds(self) -> Numbers:
        """Falling thresholds, at each of which another share of the lesions is found; empty where none can be."""
        levels = np.concatenate([*self.levels, np.zeros(0)])
        levels = np.unique(levels[levels > 0])[::-1]
        places = np.unique(np.linspace(0, levels.size - 1, min(POINTS, levels.size)).round().astype(np.intp))
        return np.nextafter(levels[places].astype(np.float32), np.float32(0)).astype(np.float64)

    def recall(self, threshold: float, low_ml: float = 0.0, high_ml: float = np.inf) -> tuple[float, int]:
        """Part of the lesions of low_ml <= volume < high_ml that is found, NaN without any, and how many there are."""
        levels, volumes = (np.concatenate([*parts, np.zeros(0)]) for parts in (self.levels, self.volumes))
        chosen = levels[(volumes >= low_ml) & (volumes < high_ml)]
        return (float((chosen > threshold).mean()) if chosen.size else np.nan), chosen.size

    def subjects(self, low_ml: float = 0.0, high_ml: float = np.inf) -> int:
        """How many have such a lesion."""
        owners = zip(self.cases, self.volumes, strict=True)
        return len({subject for (_, subject), ml in owners if ((ml >= low_ml) & (ml < high_ml)).any()})

    def lines(self) -> Iterator[dict[str, object]]:
        """Every lesion; a threshold finds it where it is below the lesion's `level`."""
        for (case_id, subject_id), levels, volumes in zip(self.cases, self.levels, self.volumes, strict=True):
            for number, (level, volume) in enumerate(zip(levels.tolist(), volumes.tolist(), strict=True)):
                yield {
                    "case_id": case_id,
                    "subject_id": subject_id,
                    "lesion": number,
                    "volume_ml": volume,
                    "level": level,
                }


@dataclass
class Froc:
    """False positives of a cohort's lesion cases at the thresholds of a curve.

    Attributes:
        false_positives: `(T,)` sum over the cases so far.
        scans: whose false positives are counted.
    """

    lesions: Lesions
    thresholds: Numbers
    false_positives: Numbers
    scans: int

    def add(self, decision: Decision, threshold: float) -> None:
        """Count what a threshold predicts in a case; ignored where the threshold is none of the curve's."""
        at = self.thresholds == threshold
        if at.any():
            self.false_positives[at] += decision.matches.false_positives

    @property
    def rates(self) -> Numbers:
        """`(T,)` false positives a scan."""
        return self.false_positives / max(self.scans, 1)

    @property
    def curve(self) -> FrocCurve:
        """Over the lesions of all sizes."""
        recalls = np.array([self.lesions.recall(threshold)[0] for threshold in self.thresholds.tolist()])
        return FrocCurve(self.rates, recalls, self.lesions.recall(0)[1])

    def lines(self) -> Iterator[dict[str, object]]:
        """The curve of each stratum, thresholds falling; false positives are those of all sizes."""
        for name, (low, high) in STRATA.items():
            for threshold, rate in zip(self.thresholds.tolist(), self.rates.tolist(), strict=True):
                recall, lesions = self.lesions.recall(threshold, low, high)
                yield {
                    "stratum": name,
                    "threshold": threshold,
                    "false_alarms_a_scan": rate,
                    "lesion_recall": recall,
                    "lesions": lesions,
                    "scans": self.scans,
                }


def start_froc(lesions: Lesions) -> Froc:
    """A curve that no case has been counted in yet."""
    thresholds = lesions.thresholds()
    return Froc(lesions, thresholds, np.zeros(thresholds.size), len(lesions.cases))


def lesion_size_lines(
    lesions: Mapping[tuple[str, str], Lesions], thresholds: Mapping[tuple[str, str], object]
) -> Iterator[dict[str, object]]:
    """The part of all lesions of a size that is found at each threshold of a whole cohort.

    Args:
        lesions: by pipeline and split.
        thresholds: by pipeline and protocol; those that differ from case to case are ignored.
    """
    whole = {pair: one for pair, one in thresholds.items() if isinstance(one, float) and not np.isnan(one)}
    for (pipeline, split), group in lesions.items():
        for (_, protocol), threshold in ((pair, one) for pair, one in whole.items() if pair[0] == pipeline):
            for stratum, (low, high) in STRATA.items():
                recall, count = group.recall(threshold, low, high)
                yield {
                    **dict(zip(COLUMNS, (pipeline, protocol, split, stratum, "lesion_recall"), strict=True)),
                    "mean": recall,
                    "cases": count,
                    "patients": group.subjects(low, high),
                    "undefined": 0,
                }
