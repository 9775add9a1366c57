"""Components against a flood voxel by voxel."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from volumes import drawn, flooded

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.lesionwise import match_lesions
from benchmark.metrics.masks import components
from datasets.case import CaseFiles

FILES = CaseFiles("", Path(), Path(), Path(), "", "", "val")


def test_sizes_equal_those_found_by_flooding() -> None:
    for one in drawn(500):
        found = components(one.prediction)
        assert sorted(found.sizes) == sorted(len(part) for part in flooded(one.prediction))


@pytest.mark.parametrize("share", [0.001, 0.03, 0.1, 0.5, 0.95])
def test_labels_are_scipys_in_the_order_of_the_voxels(share: float) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 1), (1, 9, 4), (30, 1, 20), (24, 20, 16)):
        mask = rng.random(shape) < share
        labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
        found = components(mask)
        assert found.labels.tolist() == (labels[mask] - 1).tolist()
        assert found.count == count


def test_voxels_on_opposite_faces_of_the_box_do_not_touch() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 2] = mask[0, 1, 0] = mask[2, 2, 2] = True
    assert components(mask).count == 3


def test_predictions_at_falling_thresholds_are_those_of_each_alone() -> None:
    """Voxels, and which of them are one component."""
    for one in drawn(1000):
        brain = np.random.default_rng(one.number).random(one.scores.shape) < 0.9
        truth = GroundTruth(FILES, brain, one.lesion, one.spacing, 0)
        thresholds = sorted({0.0, 0.25, 0.5, 0.9, *one.scores.flat[:9].tolist()}, reverse=True)
        scores = one.scores[brain]
        for threshold, found in zip(thresholds, truth.predictions(scores, thresholds), strict=True):
            alone = truth.prediction(scores > threshold)
            order = np.argsort(found.voxels)
            assert found.voxels[order].tolist() == alone.voxels.tolist()
            assert same_partition(found.components.labels[order], alone.components.labels)
            assert truth.matches(found).false_positives == truth.matches(alone).false_positives
            assert (
                truth.matches(found).found.tolist()
                == match_lesions(truth.volume(scores > threshold), one.lesion).found.tolist()
            )


def same_partition(first: NDArray[np.integer], second: NDArray[np.integer]) -> bool:
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))
