"""Chains against SciPy and brute force, and what they do to a perfect map."""

import os
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_to_img
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics import dice
from benchmark.scoring.postprocessing.chains import perfect_prediction, remove_small, smooth
from benchmark.study.chains import CHAINS, Chain

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
VOXEL_ML = 0.008

shapes = st.tuples(*[st.integers(1, 9)] * 3)
seeds = st.integers(0, 2**32 - 1)


def random_map(shape: tuple[int, ...], seed: int) -> tuple[Volume, Mask]:
    """Scores with many ties and zeros, and a brain with holes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.choice([2, 5, 1000]), shape).astype(np.float32)
    return scores, rng.random(shape) < rng.choice([0, 0.5, 0.95, 1])


def eroded_by_hand(brain: Mask, iterations: int) -> Mask:
    """A voxel stays while its four in-plane neighbours are brain; outside the box there is none."""
    for _ in range(iterations):
        wide = np.pad(brain, ((1, 1), (1, 1), (0, 0)))
        brain = brain & wide[2:, 1:-1] & wide[:-2, 1:-1] & wide[1:-1, 2:] & wide[1:-1, :-2]
    return brain


@settings(max_examples=150, deadline=None)
@given(shapes, seeds)
def test_the_paper_chain_is_scipys_median_of_the_eroded_map(shape: tuple[int, ...], seed: int) -> None:
    scores, brain = random_map(shape, seed)
    for iterations in (0, 1, 3):
        kept = eroded_by_hand(brain, iterations)
        wanted = np.where(kept, ndimage.median_filter(np.where(kept, scores, 0), 5), 0)
        got = smooth(scores, brain, replace(CHAINS["paper"], erosion=iterations))
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == scores.dtype


def test_the_paper_chain_is_scipys_median_on_a_brain_of_realistic_size() -> None:
    x, y, z = np.indices((48, 56, 30)) - np.array([24, 28, 15])[:, None, None, None]
    brain = (x / 21) ** 2 + (y / 25) ** 2 + (z / 17) ** 2 < 1
    scores = np.random.default_rng(0).random(brain.shape, dtype=np.float32)
    kept = eroded_by_hand(brain, 3)
    assert 0 < kept.sum() < brain.sum()
    wanted = np.where(kept, ndimage.median_filter(np.where(kept, scores, 0), 5), 0)
    np.testing.assert_array_equal(smooth(scores, brain, CHAINS["paper"]), wanted)


@settings(max_examples=100, deadline=None)
@given(shapes, seeds)
def test_the_light_chain_is_the_median_of_those_neighbours_that_are_brain(shape: tuple[int, ...], seed: int) -> None:
    scores, brain = random_map(shape, seed)
    wide = np.pad(np.where(brain, scores.astype(np.float64), nan), 1, constant_values=nan)
    wanted = np.zeros(shape)
    for x, y, z in np.argwhere(brain):
        wanted[x, y, z] = np.nanmedian(wide[x : x + 3, y : y + 3, z : z + 3])
    got = smooth(scores, brain, CHAINS["light"])
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == scores.dtype


def test_the_light_chain_does_not_darken_the_brains_edge_as_a_plain_median_does() -> None:
    brain = np.zeros((7, 7, 7), dtype=bool)
    brain[2:5, 2:5, 2:5] = True
    scores = np.ones(brain.shape, dtype=np.float32)
    np.testing.assert_array_equal(smooth(scores, brain, CHAINS["light"]), brain)
    plain = smooth(scores, brain, Chain("plain", "plain", median=3))
    assert 0 < plain.sum() < brain.sum()


def test_no_chain_leaves_any_score_outside_the_brain_or_changes_its_input() -> None:
    scores, brain = np.ones((12, 12, 12), dtype=np.float32), np.zeros((12, 12, 12), dtype=bool)
    brain[1:11, 1:11, 1:11] = True
    brain[5:7, 5:7, 5:7] = False
    for chain in CHAINS.values():
        assert not smooth(scores, brain, chain)[~brain].any()
    assert scores.all()
    np.testing.assert_array_equal(smooth(scores, brain, CHAINS["none"]), brain)


def test_the_eroded_rim_scores_0_and_erosion_stays_in_plane() -> None:
    brain = np.zeros((15, 15, 4), dtype=bool)
    brain[2:13, 2:13] = True
    scores = np.ones(brain.shape, dtype=np.float32)
    wanted = np.zeros_like(brain)
    wanted[5:10, 5:10] = True
    got = smooth(scores, brain, replace(CHAINS["paper"], median=1))
    np.testing.assert_array_equal(got > 0, wanted)


def test_a_map_of_another_shape_than_the_brain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Got a map of shape \(4, 4, 4\), wanted"):
        smooth(np.zeros((4, 4, 4)), np.ones((4, 4, 5), dtype=bool), CHAINS["none"])


def bar(length: int) -> Mask:
    volume = np.zeros((length + 2, 3, 3), dtype=bool)
    volume[1:-1, 1, 1] = True
    return volume


@pytest.mark.parametrize(("name", "smallest"), [("paper", 7), ("light", 4), ("none", 1)])
def test_components_are_kept_from_their_smallest_size_on(name: str, smallest: int) -> None:
    chain = CHAINS[name]
    np.testing.assert_array_equal(remove_small(bar(smallest), chain, VOXEL_ML), bar(smallest))
    assert not remove_small(bar(smallest - 1), chain, VOXEL_ML).any()


def test_the_light_chains_size_is_a_volume_and_the_papers_a_number_of_voxels() -> None:
    one_mm = float(np.prod(np.linalg.norm(np.diag([0.9999999, 1.0, 1.0]), axis=0))) / 1000
    assert CHAINS["light"].smallest(0.001) == CHAINS["light"].smallest(one_mm) == 30
    assert CHAINS["light"].smallest(1.0) == 1
    assert CHAINS["paper"].smallest(0.001) == CHAINS["paper"].smallest(1.0) == 7


def test_voxels_that_touch_by_a_corner_are_one_component() -> None:
    diagonal = np.zeros((9, 9, 9), dtype=bool)
    diagonal[range(1, 8), range(1, 8), range(1, 8)] = True
    np.testing.assert_array_equal(remove_small(diagonal, CHAINS["paper"], VOXEL_ML), diagonal)
    diagonal[4, 4, 4] = False
    assert not remove_small(diagonal, CHAINS["paper"], VOXEL_ML).any()


@settings(max_examples=60, deadline=None)
@given(shapes, seeds)
def test_removing_keeps_exactly_the_components_that_are_large_enough(shape: tuple[int, ...], seed: int) -> None:
    prediction = np.random.default_rng(seed).random(shape) < 0.2
    got = remove_small(prediction, CHAINS["paper"], VOXEL_ML)
    labels, count = ndimage.label(prediction, np.ones((3, 3, 3)))
    for label in range(1, count + 1):
        component = labels == label
        assert got[component].all() if component.sum() >= 7 else not got[component].any()
    assert not got[~prediction].any()


def test_a_perfect_map_survives_no_chain_whole_but_none() -> None:
    brain = np.zeros((40, 40, 20), dtype=bool)
    brain[2:38, 2:38, 1:19] = True
    lesion = np.zeros_like(brain)
    lesion[15:25, 15:25, 6:14] = True
    lesion[30, 30, 10] = True
    scores = {name: dice(perfect_prediction(lesion, brain, chain, VOXEL_ML), lesion) for name, chain in CHAINS.items()}
    assert scores["none"] == 1
    assert 0.8 < scores["paper"] < scores["light"] < 1


def test_a_perfect_map_of_a_small_lesion_is_lost_in_the_paper_chain() -> None:
    brain = np.ones((30, 30, 15), dtype=bool)
    lesion = np.zeros_like(brain)
    lesion[13:17, 13:17, 6:9] = True  # 0.38 ml
    assert not perfect_prediction(lesion, brain, CHAINS["paper"], VOXEL_ML).any()
    assert perfect_prediction(lesion, brain, CHAINS["light"], VOXEL_ML).any()


def test_a_perfect_map_of_real_ms_lesions_loses_most_of_them_in_the_paper_chain() -> None:
    if "UADBENCH_DATA" not in os.environ:
        pytest.skip("UADBENCH_DATA is not set")
    files = sorted(Path(os.environ["UADBENCH_DATA"]).glob("shapes/msl_gold_mni/*.nii.gz"))
    if not files:
        pytest.skip("UADBENCH_DATA holds no shapes/msl_gold_mni")
    brain = load_mni152_brain_mask(resolution=2)
    brain_mask, scores = np.asarray(brain.dataobj) > 0, []
    for path in files:
        image = resample_to_img(path, brain, interpolation="nearest", copy_header=True, force_resample=True)
        lesion_mask = np.asarray(image.dataobj) > 0
        prediction = perfect_prediction(lesion_mask, brain_mask, CHAINS["paper"], VOXEL_ML)
        scores.append(dice(prediction, lesion_mask))
    assert len(scores) == 30
    assert scores.count(0) in (13, 14)  # 14 with the grid that starts one millimetre further
    assert np.mean(scores) == pytest.approx(0.15, abs=0.01)
