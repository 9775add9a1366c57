"""Surface distances against loops over all pairs of voxels."""

from itertools import product
from math import isnan

import numpy as np
import pytest
from scipy.spatial import KDTree
from volumes import Mask, drawn

from benchmark.metrics.masks import places_of
from benchmark.metrics.surface_distance import (
    LesionSurface,
    diameter,
    hd95,
    surface,
    surface_dice,
    surface_distances,
)


def border(mask: Mask) -> list[tuple[int, ...]]:
    """Voxels with a face outside the mask, looked at one by one."""
    inside = {tuple(voxel) for voxel in np.argwhere(mask).tolist()}
    faces = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    return [voxel for voxel in sorted(inside) if not all(tuple(np.add(voxel, step)) in inside for step in faces)]


def nearest(one: Mask, other: Mask, spacing: tuple[float, ...]) -> np.ndarray:  # type: ignore[type-arg]
    ours, theirs = (np.array(border(mask)) * np.array(spacing) for mask in (one, other))
    return np.sqrt(((ours[:, None] - theirs[None]) ** 2).sum(axis=-1)).min(axis=1)


def test_surface_metrics_equal_loops_over_all_pairs_on_random_volumes() -> None:
    compared = 0
    for one in drawn(1000, longest=5):
        brain = np.ones_like(one.lesion)
        pair = one.prediction, one.lesion
        got = hd95(*pair, brain, one.spacing), surface_dice(*pair, one.spacing)
        if not one.lesion.any():
            assert isnan(got[0])
            assert isnan(got[1])
            continue
        if not one.prediction.any():
            corner = np.array(brain.shape) - 1
            assert got == (pytest.approx(np.linalg.norm(corner * np.array(one.spacing))), 0)
            continue
        ours, theirs = (
            nearest(one.prediction, one.lesion, one.spacing),
            nearest(one.lesion, one.prediction, one.spacing),
        )
        near = (ours <= max(one.spacing)).sum() + (theirs <= max(one.spacing)).sum()
        assert got[0] == pytest.approx(max(np.percentile(ours, 95), np.percentile(theirs, 95)))
        assert got[1] == pytest.approx(near / (len(ours) + len(theirs)))
        compared += 1
    assert compared > 400


def test_one_prediction_after_the_other_is_as_far_as_each_alone() -> None:
    """In steps of 1.7 mm, which rounds, every bit counts."""
    rng = np.random.default_rng(0)
    lesion, scores = rng.random((2, 6, 7, 5))
    spacing = (1.7, 1.7, 1.7)
    in_turn = LesionSurface(lesion > 0.9, spacing)
    for threshold in (0.98, 0.9, 0.6, 0.8, 0.0):
        prediction = scores > threshold
        one, other = in_turn.distances(places_of(prediction)), surface_distances(prediction, lesion > 0.9, spacing)
        ours, theirs = (np.array(border(mask)) * spacing for mask in (prediction, lesion > 0.9))
        expected = KDTree(theirs).query(ours)[0], KDTree(ours).query(theirs)[0]
        for got, alone, by_hand in zip(one, other, expected, strict=True):
            np.testing.assert_array_equal(got, alone)
            np.testing.assert_array_equal(got, by_hand)


def test_the_surface_is_that_of_a_look_at_every_voxel() -> None:
    for one in drawn(200):
        assert [tuple(voxel) for voxel in surface(one.prediction).tolist()] == border(one.prediction)


def test_the_diameter_is_the_largest_distance_of_all_pairs() -> None:
    for one in drawn(200):
        points = np.argwhere(one.prediction) * np.array(one.spacing)
        pairs = [float(np.linalg.norm(a - b)) for a, b in product(points, points)]
        assert diameter(one.prediction, one.spacing) == pytest.approx(max(pairs, default=0))


def test_an_empty_prediction_is_as_bad_as_the_brain_is_wide_and_never_dropped() -> None:
    brain = np.ones((4, 1, 1), dtype=bool)
    lesion = np.arange(4).reshape(4, 1, 1) == 0
    worst = hd95(np.zeros_like(lesion), lesion, brain, (2.0, 2.0, 2.0))
    assert worst == 6
    assert worst >= hd95(np.roll(lesion, 3), lesion, brain, (2.0, 2.0, 2.0))


def test_the_larger_direction_counts_whichever_it_is() -> None:
    one, two = np.zeros((2, 12, 1, 1), dtype=bool)
    one[0], two[[0, 11]] = True, True
    for pair in ((one, two), (two, one)):
        assert hd95(*pair, one | two, (1.0, 1.0, 1.0)) == pytest.approx(np.percentile([0, 11], 95))
