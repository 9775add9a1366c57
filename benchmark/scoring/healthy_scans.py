"""HealthyScan: all that a threshold takes from a healthy validation scan, a few numbers instead of its map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.masks import Scores
from benchmark.scoring.thresholds.protocols import healthy_alarm_threshold
from benchmark.study.protocols import RATES, Protocol


@dataclass(frozen=True)
class HealthyScan:
    """One scan after one chain.

    Attributes:
        quantiles: for each rate of `RATES`, the score that this part of its brain's voxels exceeds.
        level: its highest score through the whole chain, from which on a threshold raises no alarm.
    """

    quantiles: tuple[float, ...]
    level: float


def look_at(smoothed: Scores, opened: Scores) -> HealthyScan:
    """A scan by its brain's voxels `(V,)`, the eroded rim's zeros included: before components, and after all.

    Raises:
        ValueError: a scan without brain voxels.
    """
    if not smoothed.size:
        raise ValueError("Got a scan without brain voxels, wanted at least one.")
    quantiles = np.quantile(smoothed.astype(np.float64), [1 - rate for rate in RATES])
    return HealthyScan(tuple(quantiles.tolist()), float(opened.max()))


def healthy_threshold(scans: Sequence[HealthyScan], protocol: Protocol) -> float:
    """That of a protocol that uses healthy scans; NaN where there are none, or too few for what it promises."""
    if protocol.rate is None:
        raise ValueError(f"Got protocol '{protocol.name}', wanted one that uses healthy scans.")
    if protocol.rule == "alarm":
        return healthy_alarm_threshold([scan.level for scan in scans], protocol.rate)
    place = RATES.index(protocol.rate)
    return float(np.mean([scan.quantiles[place] for scan in scans])) if scans else np.nan
