"""Pipelines against SciPy and brute force, and what they do to a perfect map."""

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
from volumes import without_small

from benchmark.metrics import dice
from benchmark.postprocessing.pipelines import PIPELINES, Pipeline, idle_text, pipeline_named, pipeline_on
from benchmark.postprocessing.steps import (
    BrainMap,
    Step,
    erosion_step,
    erosions,
    median_edge,
    median_step,
    remove_small,
    smallest_component,
)
from datasets.errors import UnknownName

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
SPACING = (2.0, 2.0, 2.0)
PAPER, LIGHT, NONE = (PIPELINES[name] for name in ("paper", "light", "none"))
WITH_PARTS = [part for whole in (PAPER, LIGHT, NONE) for part in (whole, *whole.without_each_step().values())]

shapes = st.tuples(*[st.integers(1, 9)] * 3)
seeds = st.integers(0, 2**32 - 1)


def random_map(shape: tuple[int, ...], seed: int) -> tuple[Volume, Mask]:
    """Scores with many ties and zeros, and a brain with holes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.choice([2, 5, 1000]), shape).astype(np.float32)
    return scores, rng.random(shape) < rng.choice([0, 0.5, 0.95, 1])


def smooth(scores: Volume, brain: Mask, pipeline: Pipeline) -> Volume:
    return pipeline.filter(scores, brain, SPACING).scores


def eroded_by_hand(brain: Mask, iterations: int) -> Mask:
    """A voxel stays while its four in-plane neighbours are brain; outside the box there is none."""
    for _ in range(iterations):
        wide = np.pad(brain, ((1, 1), (1, 1), (0, 0)))
        brain = brain & wide[2:, 1:-1] & wide[:-2, 1:-1] & wide[1:-1, 2:] & wide[1:-1, :-2]
    return brain


@settings(max_examples=150, deadline=None)
@given(shapes, seeds)
def test_the_published_pipeline_is_scipys_median_of_the_eroded_map(shape: tuple[int, ...], seed: int) -> None:
    scores, brain = random_map(shape, seed)
    for iterations in (0, 1, 3):
        kept = eroded_by_hand(brain, iterations)
        wanted = np.where(kept, ndimage.median_filter(np.where(kept, scores, 0), 5), 0)
        got = smooth(scores, brain, Pipeline("x", "x", (erosion_step(2 * iterations), PAPER.steps[1])))
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == scores.dtype


def test_the_published_pipeline_is_scipys_median_on_a_brain_of_realistic_size() -> None:
    x, y, z = np.indices((48, 56, 30)) - np.array([24, 28, 15])[:, None, None, None]
    brain = (x / 21) ** 2 + (y / 25) ** 2 + (z / 17) ** 2 < 1
    scores = np.random.default_rng(0).random(brain.shape, dtype=np.float32)
    kept = eroded_by_hand(brain, 3)
    assert 0 < kept.sum() < brain.sum()
    wanted = np.where(kept, ndimage.median_filter(np.where(kept, scores, 0), 5), 0)
    np.testing.assert_array_equal(smooth(scores, brain, PAPER), wanted)


def test_the_published_program_differs_in_the_concave_parts_of_the_eroded_rim_alone() -> None:
    """It filters the whole volume after the erosion, so that scores come back into the rim."""
    x, y, z = np.indices((40, 40, 20)) - np.array([20, 20, 10])[:, None, None, None]
    brain = ((x / 18) ** 2 + (y / 18) ** 2 + (z / 9) ** 2 < 1) & ~((x > 0) & (y > 0) & (z > 0))
    scores = np.where(brain, np.random.default_rng(0).random(brain.shape, dtype=np.float32), 0)
    kept = eroded_by_hand(brain, 3)
    published = ndimage.median_filter(np.where(kept, scores, 0), 5)
    ours = smooth(scores, brain, PAPER)
    np.testing.assert_array_equal(ours[kept], published[kept])
    assert not ours[~kept].any()
    differs = published != ours
    assert (differs & brain).any()
    around = ndimage.convolve(kept.astype(np.int32), np.ones((5, 5, 5), np.int32), mode="reflect")
    assert (around[differs] >= 63).all()


@settings(max_examples=100, deadline=None)
@given(shapes, seeds)
def test_the_light_pipeline_is_the_median_of_those_neighbours_that_are_brain(shape: tuple[int, ...], seed: int) -> None:
    scores, brain = random_map(shape, seed)
    wide = np.pad(np.where(brain, scores.astype(np.float64), nan), 1, constant_values=nan)
    wanted = np.zeros(shape)
    for x, y, z in np.argwhere(brain):
        wanted[x, y, z] = np.nanmedian(wide[x : x + 3, y : y + 3, z : z + 3])
    got = smooth(scores, brain, LIGHT)
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == scores.dtype


def test_the_light_pipeline_does_not_darken_the_brains_edge_as_a_plain_median_does() -> None:
    brain = np.zeros((7, 7, 7), dtype=bool)
    brain[2:5, 2:5, 2:5] = True
    scores = np.ones(brain.shape, dtype=np.float32)
    np.testing.assert_array_equal(smooth(scores, brain, LIGHT), brain)
    plain = smooth(scores, brain, Pipeline("plain", "plain", (median_step(6),)))
    assert 0 < plain.sum() < brain.sum()


def test_no_pipeline_leaves_any_score_outside_the_brain_or_changes_its_input() -> None:
    scores, brain = np.ones((12, 12, 12), dtype=np.float32), np.zeros((12, 12, 12), dtype=bool)
    brain[1:11, 1:11, 1:11] = True
    brain[5:7, 5:7, 5:7] = False
    for pipeline in WITH_PARTS:
        assert not smooth(scores, brain, pipeline)[~brain].any()
    assert scores.all()
    np.testing.assert_array_equal(smooth(scores, brain, NONE), brain)


def test_the_eroded_rim_scores_0_and_erosion_stays_in_plane() -> None:
    brain = np.zeros((15, 15, 4), dtype=bool)
    brain[2:13, 2:13] = True
    scores = np.ones(brain.shape, dtype=np.float32)
    wanted = np.zeros_like(brain)
    wanted[5:10, 5:10] = True
    got = smooth(scores, brain, PAPER.without("median"))
    np.testing.assert_array_equal(got > 0, wanted)


def test_a_map_of_another_shape_than_the_brain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Got a map of shape \(4, 4, 4\), expected"):
        smooth(np.zeros((4, 4, 4)), np.ones((4, 4, 5), dtype=bool), NONE)


def bar(length: int) -> Mask:
    volume = np.zeros((length + 2, 3, 3), dtype=bool)
    volume[1:-1, 1, 1] = True
    return volume


def kept(prediction: Mask, pipeline: Pipeline) -> Mask:
    """What the steps after the threshold leave of a prediction."""
    whole = np.ones_like(prediction)
    return pipeline.finish(BrainMap(prediction.astype(np.float32), whole, SPACING)).scores > 0.5


@pytest.mark.parametrize(("name", "smallest"), [("paper", 7), ("light", 4), ("none", 1)])
def test_components_are_kept_from_their_smallest_size_on(name: str, smallest: int) -> None:
    pipeline = PIPELINES[name]
    np.testing.assert_array_equal(kept(bar(smallest), pipeline), bar(smallest))
    if smallest > 1:
        assert not kept(bar(smallest - 1), pipeline).any()


def nearest_odd(size: float) -> int:
    """The first, hence the smaller, of the nearest odd numbers."""
    return min(range(1, 99, 2), key=lambda odd: abs(odd - size))


@pytest.mark.parametrize("edge", [0.5, 0.8, 1, 1.25, 2, 3, 4, 8])
def test_sizes_in_voxels_are_the_nearest_that_a_step_can_take(edge: float) -> None:
    affine = float(np.linalg.norm([edge * 0.9999999, 0, 0]))
    for mm in (1, 2, 3, 4, 6, 10, 12):
        assert median_edge(mm, edge) == median_edge(mm, affine) == nearest_odd(mm / edge)
        assert erosions(mm, edge) == erosions(mm, affine) == sum(mm / edge >= half for half in np.arange(0.5, 99))
    for ml in (0.03, 0.056, 1):
        fewest = next(voxels for voxels in range(1, 99999) if voxels * edge**3 / 1000 >= ml - 1e-9)
        assert smallest_component(ml, edge) == smallest_component(ml, affine) == fewest


def test_the_voxels_of_each_pipeline_are_those_that_are_written_down() -> None:
    assert PAPER.what_at(2) == (
        "brain mask eroded in-plane by 6 mm (3 voxels), median of 10 mm (5 x 5 x 5 voxels), "
        "components under 0.056 ml removed (under 7 voxels)"
    )
    assert PAPER.what_at(4) == (
        "brain mask eroded in-plane by 6 mm (2 voxels), median of 10 mm (3 x 3 x 3 voxels), "
        "components under 0.056 ml removed (no effect)"
    )
    assert PAPER.what_at(1) == (
        "brain mask eroded in-plane by 6 mm (6 voxels), median of 10 mm (9 x 9 x 9 voxels), "
        "components under 0.056 ml removed (under 56 voxels)"
    )
    assert LIGHT.what_at(2) == (
        "median of 6 mm within the brain (3 x 3 x 3 voxels), components under 0.03 ml removed (under 4 voxels)"
    )
    assert NONE.what_at(2) == "no step"


@pytest.mark.parametrize("edge", [1.0, 2.0, 3.0, 4.0, 8.0])
def test_a_step_said_to_have_no_effect_returns_the_very_map(edge: float) -> None:
    brain = np.zeros((9, 9, 9), dtype=bool)
    brain[1:8, 1:8, 1:8] = True
    brain_map = BrainMap(np.random.default_rng(0).random((9, 9, 9), np.float32) * brain, brain, (edge,) * 3)
    for step in (*PAPER.steps, *LIGHT.steps):
        assert (step(brain_map) is brain_map) is not step.has_effect(edge)


def test_a_pipeline_without_an_effective_step_stands_as_none() -> None:
    assert pipeline_on("light", 4) == NONE
    assert pipeline_on("light", 2) == LIGHT
    assert pipeline_on("paper", 4) == PAPER
    assert pipeline_on("none", 2) == pipeline_on("paper-no-erosion", 20) == NONE
    assert list(PAPER.without_each_step(4)) == ["erosion", "median"]
    unknown = Pipeline("own", "own", (Step("own", "own", lambda brain_map: brain_map),))
    assert unknown.steps[0].has_effect(100)
    assert idle_text(["paper", "light", "none"], 4) == (
        "At 4 mm this post-processing changes nothing and is shown as none: light: median of 6 mm within the brain (no "
        "effect), components under 0.03 ml removed (no effect)."
    )
    assert idle_text(["paper", "light", "none"], 2) == ""


def test_voxels_that_are_no_cubes_are_refused() -> None:
    brain = np.ones((4, 4, 4), dtype=bool)
    with pytest.raises(ValueError, match=r"Got voxels of 2 x 2 x 3 mm, expected cubes"):
        PAPER.filter(brain.astype(np.float32), brain, (2.0, 2.0, 3.0))


def test_a_map_that_nothing_is_removed_from_is_the_very_map() -> None:
    brain_map = BrainMap(np.ones((3, 3, 3), np.float32), np.ones((3, 3, 3), dtype=bool), SPACING)
    assert remove_small(brain_map, ml=0.008) is brain_map
    assert NONE.finish(brain_map) is brain_map


def test_voxels_that_touch_by_a_corner_are_one_component() -> None:
    diagonal = np.zeros((9, 9, 9), dtype=bool)
    diagonal[range(1, 8), range(1, 8), range(1, 8)] = True
    np.testing.assert_array_equal(kept(diagonal, PAPER), diagonal)
    diagonal[4, 4, 4] = False
    assert not kept(diagonal, PAPER).any()


@settings(max_examples=60, deadline=None)
@given(shapes, seeds)
def test_removing_keeps_exactly_the_components_that_are_large_enough(shape: tuple[int, ...], seed: int) -> None:
    prediction = np.random.default_rng(seed).random(shape) < 0.2
    np.testing.assert_array_equal(kept(prediction, PAPER), without_small(prediction, 7))


def test_a_pipeline_is_made_once_without_each_of_its_steps() -> None:
    erosion, filtered, components = PAPER.steps
    parts = PAPER.without_each_step()
    assert {name: part.steps for name, part in parts.items()} == {
        "erosion": (filtered, components),
        "median": (erosion, components),
        "components": (erosion, filtered),
    }
    assert (parts["median"].name, parts["median"].title) == ("paper-no-median", "as published, no median")
    assert list(LIGHT.without_each_step()) == ["median", "components"]
    assert NONE.without_each_step() == {}
    assert pipeline_named("paper-no-median") == parts["median"]
    for name in ("paper-no-glasses", "papers-no-median", "pap"):
        with pytest.raises(UnknownName, match=f"No post-processing '{name}'"):
            pipeline_named(name)


def test_every_step_and_value_enters_the_key_and_no_name_does() -> None:
    keys = [str(pipeline.in_key) for pipeline in WITH_PARTS]
    assert len(set(keys)) == len(keys)
    assert replace(PAPER, name="other", title="other").in_key == PAPER.in_key
    larger = replace(PAPER.steps[1], values={"mm": 14.0})
    for changed in (larger, replace(PAPER.steps[1], revision=2)):
        assert replace(PAPER, steps=(PAPER.steps[0], changed, PAPER.steps[2])).in_key != PAPER.in_key
    assert replace(PAPER, origin="someone 1.0").in_key != PAPER.in_key


def test_a_plugin_s_step_is_told_by_its_function_too_and_a_built_in_one_may_move() -> None:
    first, *others = PAPER.steps
    moved = replace(PAPER, steps=(replace(first, function=others[0].function), *others))
    assert moved.in_key == PAPER.in_key
    assert replace(moved, origin="someone 1.0").in_key != replace(PAPER, origin="someone 1.0").in_key


def test_a_perfect_map_survives_no_pipeline_whole_but_none() -> None:
    brain = np.zeros((40, 40, 20), dtype=bool)
    brain[2:38, 2:38, 1:19] = True
    lesion = np.zeros_like(brain)
    lesion[15:25, 15:25, 6:14] = True
    lesion[30, 30, 10] = True
    scores = {one.name: dice(one.perfect(lesion, brain, SPACING), lesion) for one in (PAPER, LIGHT, NONE)}
    assert scores["none"] == 1
    assert 0.8 < scores["paper"] < scores["light"] < 1


def test_a_perfect_map_of_a_small_lesion_is_lost_in_the_published_pipeline() -> None:
    brain = np.ones((30, 30, 15), dtype=bool)
    lesion = np.zeros_like(brain)
    lesion[13:17, 13:17, 6:9] = True  # 0.38 ml
    assert not PAPER.perfect(lesion, brain, SPACING).any()
    assert LIGHT.perfect(lesion, brain, SPACING).any()


def test_a_perfect_map_of_real_ms_lesions_loses_most_of_them_in_the_published_pipeline() -> None:
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
        prediction = PAPER.perfect(lesion_mask, brain_mask, SPACING)
        scores.append(dice(prediction, lesion_mask))
    assert len(scores) == 30
    assert scores.count(0) in (13, 14)  # 14 with the grid that starts one millimetre further
    assert np.mean(scores) == pytest.approx(0.15, abs=0.01)
