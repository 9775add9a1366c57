"""Curves of a cohort: lesions found against false alarms (FROC), by size of the lesion too."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import Anatomy, Prediction
from benchmark.metrics.lesionwise import froc_point, lesion_levels
from benchmark.metrics.strata import STRATA

Numbers = NDArray[np.float64]
POINTS = 20  # thresholds of a curve, spread evenly over the lesions
ALLOWED = (0.25, 0.5, 1, 2, 4, 8)  # false alarms a scan whose recalls `froc` averages


@dataclass
class Lesions:
    """The lesions of a cohort, or of a part of it.

    Attributes:
        cases: whose they are, each a case and its subject.
        levels: for each case, `(lesions,)` the score below which a threshold has to lie for each to be found.
        volumes: for each case, `(lesions,)` in ml.
    """

    cases: list[tuple[str, str]] = field(default_factory=list)
    levels: list[Numbers] = field(default_factory=list)
    volumes: list[Numbers] = field(default_factory=list)

    def add(self, one: Anatomy, scores: NDArray[np.float32]) -> None:
        """A case by its scores `(V,)` through the whole chain; lesion outside the brain scores 0."""
        of_lesion = one.volume(scores)[one.truth]
        self.cases.append((one.files.case_id, one.files.subject_id))
        self.levels.append(lesion_levels(of_lesion, one.lesions))
        self.volumes.append(np.asarray(one.lesions.sizes * one.voxel_ml, dtype=np.float64))

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
    """False alarms of a cohort's lesion cases at the thresholds of a curve.

    Attributes:
        false_alarms: `(T,)` sum over the cases so far.
        scans: whose alarms are counted.
    """

    lesions: Lesions
    thresholds: Numbers
    false_alarms: Numbers
    scans: int

    def add(self, one: Anatomy, prediction: Prediction, threshold: float) -> None:
        """What a threshold predicts in a case; passed over where it is none of the curve's."""
        self.false_alarms[self.thresholds == threshold] += one.found(prediction).false_alarms

    @property
    def rates(self) -> Numbers:
        """`(T,)` false alarms a scan."""
        return self.false_alarms / max(self.scans, 1)

    def at(self, allowed: float) -> float:
        """Recall at that many false alarms a scan; NaN without lesion."""
        recalls = np.array([self.lesions.recall(threshold)[0] for threshold in self.thresholds.tolist()])
        return froc_point(self.rates, recalls, allowed) if self.lesions.recall(0)[1] else np.nan

    def summary(self) -> dict[str, float]:
        return {"froc": float(np.mean([self.at(allowed) for allowed in ALLOWED])), "froc_at_1": self.at(1)}

    def lines(self) -> Iterator[dict[str, object]]:
        """The curve of each stratum, thresholds falling; false alarms are those of all sizes."""
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


def start(lesions: Lesions) -> Froc:
    """A curve without any alarm yet."""
    thresholds = lesions.thresholds()
    return Froc(lesions, thresholds, np.zeros(thresholds.size), len(lesions.cases))
