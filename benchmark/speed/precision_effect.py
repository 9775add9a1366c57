"""What a precision does to maps and to Dice."""

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import dice
from benchmark.scoring.postprocessing.chains import remove_small, smooth
from benchmark.scoring.thresholds.protocols import above, best_dice_threshold
from benchmark.study.chains import CHAINS
from datasets.case import Case

Volume = NDArray[np.float32]
Maps = Mapping[str, Volume]
CHAIN = "light"


def map_difference(maps: Maps, reference: Maps) -> float:
    """The largest difference of any voxel of any case."""
    return max(float(np.abs(maps[case_id] - reference[case_id]).max()) for case_id in reference)


def dice_difference(maps: Maps, reference: Maps, cases: Sequence[Case]) -> float:
    """Mean Dice through the chain `light`, less that of the reference; NaN where no case has a lesion.

    Both are cut at one threshold, the best of the reference: a precision that needs another is worse in use.
    """
    scored = [case for case in cases if case.lesion_mask is not None and case.lesion_mask.any()]
    if not scored:
        return nan
    own, others = (
        [smooth(of[case.case_id], case.brain_mask, CHAINS[CHAIN]) for case in scored] for of in (maps, reference)
    )
    scores = np.concatenate([one[case.brain_mask] for one, case in zip(others, scored, strict=True)])
    lesions = np.concatenate([_lesion(case)[case.brain_mask] for case in scored])
    threshold = best_dice_threshold(scores, lesions)
    return _mean_dice(own, scored, threshold) - _mean_dice(others, scored, threshold)


def _mean_dice(smoothed: Sequence[Volume], cases: Sequence[Case], threshold: float) -> float:
    return float(np.mean([_dice(one, case, threshold) for one, case in zip(smoothed, cases, strict=True)]))


def _dice(smoothed: Volume, case: Case, threshold: float) -> float:
    prediction = remove_small(above(smoothed, threshold) & case.brain_mask, CHAINS[CHAIN], case.voxel_ml)
    return dice(prediction, _lesion(case))


def _lesion(case: Case) -> NDArray[np.bool_]:
    return np.zeros_like(case.brain_mask) if case.lesion_mask is None else case.lesion_mask
