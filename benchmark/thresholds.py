"""Where a score becomes an alarm: PROTOCOLS, the ways to choose a threshold, and the exact searches behind.

Scores are of post-processed maps, before small components are removed. `missed` is as in `benchmark.metrics`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import Mask, Scores, ranked


@dataclass(frozen=True)
class Protocol:
    """A named way to choose a threshold.

    Attributes:
        uses: the cases it looks at; `lesion` cases are of the cohort that is scored.
        what: short definition.
        rate: alarmed fraction of a healthy brain that is aimed at; None for the best pooled Dice.
        sees_test_labels: such numbers are upper bounds: shown apart, never ranked.
    """

    name: str
    title: str
    uses: Literal["healthy-val", "lesion-val", "lesion-test"]
    what: str
    rate: float | None = None
    sees_test_labels: bool = False


def _healthy_fpr(percent: float) -> Protocol:
    return Protocol(
        name=f"healthy-fpr-{percent:g}",
        title=f"{percent:g} % false alarms",
        uses="healthy-val",
        what=f"mean over healthy validation scans of the score that {percent:g} % of a brain's voxels exceed",
        rate=percent / 100,
    )


_BEST = "threshold of the best Dice pooled over the lesion {split} cases, before components"

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("lesion-val", "validation lesions", "lesion-val", _BEST.format(split="validation")),
        _healthy_fpr(1),
        _healthy_fpr(0.1),
        _healthy_fpr(5),
        Protocol("oracle", "oracle", "lesion-test", _BEST.format(split="test"), sees_test_labels=True),
    )
}


SHIFTED = "@shifted"


def on_shifted(protocol: str) -> str:
    """The name of a protocol whose cases are shifted as the scored ones are: a ceiling of what re-tuning can do."""
    return f"{protocol}{SHIFTED}"


def above(scores: Scores, threshold: float) -> Mask:
    """The prediction `score > threshold`, of the scores' shape; a score of 0 is never an alarm.

    Raises:
        ValueError: the threshold is negative or NaN.
    """
    if not threshold >= 0:
        raise ValueError(f"Got threshold {threshold}, wanted 0 or more.")
    # `scores > threshold` would round the threshold to the scores' float32 first.
    return np.asarray(np.greater(scores, threshold, signature="dd->?"))


def best_dice_threshold(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """The threshold of the best Dice over all voxels, exact; the highest one of several.

    Args:
        scores, lesion: `(V,)`, the brain voxels of all cases together; scores at least 0.

    Returns:
        Halfway between the lowest score predicted and the next lower one (0 below the lowest), so that it
        separates unseen scores as well; 0 where no score is positive; NaN without lesion.

    Raises:
        ValueError: a score is negative or NaN.
    """
    return _best(scores, lesion, missed)[1]


def best_dice(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """The Dice at `best_dice_threshold`, in [0, 1]; NaN without lesion."""
    return _best(scores, lesion, missed)[0]


def healthy_fpr_threshold(scores_per_scan: Iterable[Scores], rate: float) -> float:
    """Mean over healthy scans of each scan's (1 - rate) quantile, interpolated linearly.

    Args:
        scores_per_scan: `(V,)` each, every brain voxel of one scan, the eroded rim's zeros included.
        rate: in (0, 1).

    Raises:
        ValueError: no scan, a scan without voxels, or a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ValueError(f"Got rate {rate}, wanted a fraction between 0 and 1.")
    quantiles = [_quantile(scores, 1 - rate) for scores in scores_per_scan]
    if not quantiles:
        raise ValueError("Got no healthy scan, wanted at least one.")
    return float(np.mean(quantiles))


def _quantile(scores: Scores, level: float) -> float:
    if not scores.size:
        raise ValueError("Got a scan without brain voxels, wanted at least one.")
    return float(np.quantile(scores.astype(np.float64), level))


def _best(scores: Scores, lesion: Mask, missed: float) -> tuple[float, float]:
    """Best Dice and its threshold; the best is always reached at the score of some lesion voxel."""
    positives, negatives = ranked(scores, lesion)
    both = (positives, negatives)
    if any(part.size and part[0] < 0 for part in both):
        raise ValueError(f"Got a score of {scores.min()}, wanted 0 or more.")
    total = positives.size + missed
    if not total:
        return np.nan, np.nan
    candidates = np.unique(positives[positives > 0])
    if not candidates.size:
        return 0.0, _just_below(scores.max(initial=0), both)
    true, predicted = _count_from(positives, candidates), sum(_count_from(part, candidates) for part in both)
    dice = 2 * true / (predicted + total)
    best = dice.size - 1 - int(np.argmax(dice[::-1]))
    return float(dice[best]), _just_below(candidates[best], both)


def _count_from(ascending: Scores, candidates: Scores) -> NDArray[np.intp]:
    """How many scores are at least each candidate."""
    return ascending.size - np.searchsorted(ascending, candidates, side="left")


def _just_below(score: np.floating, parts: Iterable[Scores]) -> float:
    """Halfway from `score` to the next lower one or 0, never rounded up to it."""
    below = [part[: np.searchsorted(part, score, side="left")][-1:] for part in parts]
    lower = np.concatenate(below).max(initial=0)
    middle = lower + (score - lower) / 2
    return float(middle if middle < score else lower)
