"""Each known defect of the released evaluation beside what is right: these fail on the defective formula."""

from math import isfinite
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from benchmark.metrics import METRICS, dice, hd95, l1, precision, ranking, recall, ssim
from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.masks import above
from benchmark.metrics.metric import Decision, compute
from benchmark.metrics.ranking import best_dice
from datasets.case import CaseFiles

Mask = NDArray[np.bool_]


@pytest.fixture
def masks() -> tuple[Mask, Mask]:
    """3 true and 6 false positives, 1 false negative, 90 true negatives: no two cells are alike."""
    prediction, lesion = np.zeros(100, dtype=bool), np.zeros(100, dtype=bool)
    prediction[:9], lesion[[0, 1, 2, 50]] = True, True
    return prediction, lesion


def test_no_cell_of_the_confusion_matrix_stands_for_another(masks: tuple[Mask, Mask]) -> None:
    prediction, lesion = masks
    ((true_negative, false_positive), (false_negative, true_positive)) = confusion_matrix(lesion, prediction)
    assert len({true_negative, false_positive, false_negative, true_positive}) == 4
    assert precision(prediction, lesion) == true_positive / (true_positive + false_positive)
    assert recall(prediction, lesion) == true_positive / (true_positive + false_negative)
    assert dice(prediction, lesion) == 2 * true_positive / (2 * true_positive + false_positive + false_negative)


def test_the_false_positive_rate_is_over_healthy_voxels_and_not_over_the_prediction() -> None:
    """In a healthy brain of 100 voxels nine predicted ones are 9 %, and all of the prediction."""
    brain = np.ones((10, 10, 1), dtype=bool)
    truth = GroundTruth(CaseFiles("", Path(), Path(), None, "", "", "test"), brain, None, (1.0, 1.0, 1.0), 0)
    decision = Decision(truth, truth.prediction(np.arange(100) < 9))
    assert compute([METRICS["alarm_fraction"]], decision, truth.kinds) == {"alarm_fraction": 0.09}


def test_slices_are_axial() -> None:
    """What differs along z only is alike in no axial slice, and was alike in others."""
    image = np.zeros((12, 12, 12))
    image[:, :, ::2] = 1
    whole = np.ones(image.shape, dtype=bool)
    assert ssim(image, 1 - image, whole) < 0.01
    moved = np.moveaxis(image, 2, 0)
    inside_slices = ssim(moved, 1 - moved, whole)
    assert inside_slices < -0.5


def test_a_distance_is_there_for_every_lesion_so_that_none_is_dropped() -> None:
    rng = np.random.default_rng(0)
    brain = np.ones((8, 8, 8), dtype=bool)
    lesions = [rng.random(brain.shape) < 0.02 for _ in range(20)]
    for lesion in lesions:
        for prediction in (np.zeros_like(lesion), lesion, brain):
            value = hd95(prediction, lesion, brain, (2.0, 2.0, 2.0))
            assert isfinite(value) == lesion.any()


def test_a_coarse_search_misses_the_best_threshold() -> None:
    """At a prevalence of 0.05 % neither 20 bisections nor 200 quantiles find what one sort does."""
    rng = np.random.default_rng(0)
    lesion = np.arange(400_000) < 200
    scores = np.abs(rng.normal(size=lesion.size) + 3 * lesion).astype(np.float32)
    coarse = max(dice(scores > level, lesion) for level in np.quantile(scores, np.linspace(0, 1, 201)[:-1]))
    assert best_dice(scores, lesion)[0] > 1.5 * coarse


def test_a_threshold_is_handed_on_by_value_and_no_call_changes_another() -> None:
    rng = np.random.default_rng(0)
    scores, lesion = rng.random((2, 500)), rng.random((2, 500)) < 0.2
    first = best_dice(scores[0], lesion[0])
    before = dict(vars(ranking))
    best_dice(scores[1], lesion[1])
    above(scores[1], 0.9)
    assert best_dice(scores[0], lesion[0]) == first
    assert {name for name, value in vars(ranking).items() if before.get(name) is not value} == set()


def test_an_absolute_residual_is_no_squared_one() -> None:
    image, reconstruction = np.array([1.0, 0.5]), np.array([0.5, 0.5])
    assert l1(image, reconstruction, np.array([True, True])) == 0.25
