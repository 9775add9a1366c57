"""Metrics against scikit-learn, plain loops and cases worked out by hand."""

import doctest
from collections.abc import Iterator, Sequence
from importlib import import_module
from math import isnan, nan
from pkgutil import iter_modules

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark import metrics
from benchmark.metrics.masks import components
from benchmark.postprocessing import area_opening

Volume = NDArray[np.float64]
Mask = NDArray[np.bool_]


def random_cases(count: int) -> Iterator[tuple[Volume, Mask, Mask]]:
    """Small volumes: scores from all different to all equal, masks from empty over one voxel to full."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 7, 3))
        levels = rng.choice([1, 2, 3, 10, 10_000])
        scores = rng.integers(0, levels, shape) / levels
        lesion = rng.random(shape) < rng.choice([0, 0.05, 0.5, 1])
        if seed % 3 == 0:
            lesion[:] = False
            lesion.flat[rng.integers(lesion.size)] = True
        prediction = rng.random(shape) < rng.choice([0, 0.1, 0.5, 1])
        yield scores.astype(rng.choice(["float32", "float64"])), prediction, lesion


def confusion(prediction: Mask, lesion: Mask) -> tuple[int, int, int]:
    """True positives, false positives and false negatives, voxel by voxel."""
    true = false = overlooked = 0
    for predicted, real in zip(prediction.ravel().tolist(), lesion.ravel().tolist(), strict=True):
        true += predicted and real
        false += predicted and not real
        overlooked += real and not predicted
    return true, false, overlooked


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else nan


def test_overlap_equals_a_count_voxel_by_voxel_over_random_volumes() -> None:
    for number, (_, prediction, lesion) in enumerate(random_cases(1000)):
        missed = number % 4
        true, false, overlooked = confusion(prediction, lesion)
        overlooked += missed
        real = true + overlooked
        wanted = (
            ratio(2 * true, 2 * true + false + overlooked) if real else nan,
            ratio(true, true + false) if real else nan,
            ratio(true, real),
        )
        got = tuple(
            metric(prediction, lesion, missed=missed) for metric in (metrics.dice, metrics.precision, metrics.recall)
        )
        np.testing.assert_allclose(got, wanted, rtol=1e-15)


def test_average_precision_equals_scikit_learn_over_random_volumes() -> None:
    compared = 0
    for scores, _, lesion in random_cases(1000):
        got = metrics.average_precision(scores, lesion)
        if not lesion.any():
            assert isnan(got)
            continue
        assert got == pytest.approx(average_precision_score(lesion.ravel(), scores.ravel()), abs=1e-12)
        compared += 1
    assert compared > 500


def test_auroc_equals_scikit_learn_over_random_volumes() -> None:
    compared = 0
    for scores, _, lesion in random_cases(1000):
        got = metrics.auroc(scores, lesion)
        if lesion.all() or not lesion.any():
            assert isnan(got)
            continue
        assert got == pytest.approx(roc_auc_score(lesion.ravel(), scores.ravel()), abs=1e-12)
        compared += 1
    assert compared > 500


def test_auroc_counts_missed_voxels_as_outranked_by_every_healthy_one() -> None:
    for scores, _, lesion in random_cases(100):
        if lesion.all():
            continue
        below_all = np.append(scores.ravel(), [-1.0, -1.0]), np.append(lesion.ravel(), [True, True])
        wanted = roc_auc_score(below_all[1], below_all[0])
        assert metrics.auroc(scores, lesion, missed=2) == pytest.approx(wanted, abs=1e-12)


def test_average_precision_never_retrieves_missed_voxels() -> None:
    """Three lesion voxels, one of them outside the box: precisions 1/1 and 2/3, recall ends at 2/3."""
    scores, lesion = np.array([0.9, 0.8, 0.7, 0.0]), np.array([True, False, True, False])
    assert metrics.average_precision(scores, lesion, missed=1) == pytest.approx((1 + 2 / 3) / 3)
    nothing_left = np.array([False, False])
    assert metrics.average_precision(np.array([0.5, 0.0]), nothing_left, missed=4) == 0


def test_average_precision_takes_equal_scores_as_one_step_without_trapezoid() -> None:
    """One step from (0, -) to recall 1 at precision 1/4; a trapezoid from precision 1 would give 0.625."""
    lesion = np.array([True, False, False, False])
    assert metrics.average_precision(np.full(4, 0.5), lesion) == 0.25
    assert metrics.average_precision(np.zeros(4), lesion) == 0.25


def test_average_precision_ranks_lesion_voxels_of_score_zero_with_all_other_zeros() -> None:
    scores, lesion = np.array([0.9, 0.0, 0.0, 0.0]), np.array([True, True, False, False])
    assert metrics.average_precision(scores, lesion) == pytest.approx((1 + 2 / 4) / 2)


def test_ranking_keeps_float32_scores_apart_that_differ_in_the_last_bit() -> None:
    low = np.float32(0.5)
    scores = np.array([np.nextafter(low, np.float32(1)), low], dtype=np.float32)
    assert metrics.average_precision(scores, np.array([True, False])) == 1
    assert metrics.auroc(scores, np.array([True, False])) == 1


def test_an_empty_prediction_of_a_lesion_has_dice_and_recall_0_and_no_precision() -> None:
    empty, lesion = np.zeros(5, dtype=bool), np.arange(5) == 2
    assert metrics.dice(empty, lesion) == 0
    assert metrics.recall(empty, lesion) == 0
    assert isnan(metrics.precision(empty, lesion))


def test_a_case_without_lesion_has_no_overlap() -> None:
    prediction, lesion = np.arange(5) == 2, np.zeros(5, dtype=bool)
    assert isnan(metrics.dice(prediction, lesion))
    assert isnan(metrics.recall(prediction, lesion))
    assert isnan(metrics.precision(prediction, lesion))


def test_a_lesion_wholly_outside_the_box_is_missed_not_absent() -> None:
    prediction, lesion = np.arange(5) == 2, np.zeros(5, dtype=bool)
    assert metrics.dice(prediction, lesion, missed=3) == 0
    assert metrics.recall(prediction, lesion, missed=3) == 0
    assert metrics.precision(prediction, lesion, missed=3) == 0
    assert metrics.dice(np.ones(4, dtype=bool), np.ones(4, dtype=bool), missed=2.5) == 8 / 10.5


def test_overlap_is_not_symmetric_where_it_must_not_be() -> None:
    prediction = np.array([True, True, True, True, False, False])
    lesion = np.array([True, False, False, False, True, False])
    assert metrics.precision(prediction, lesion) == 0.25
    assert metrics.recall(prediction, lesion) == 0.5
    assert metrics.dice(prediction, lesion) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("ap", "prevalence", "wanted"), [(0.2, 0.2, 0.0), (1.0, 0.3, 1.0), (0.0, 0.5, -1.0), (0.5, 0.0, 0.5)]
)
def test_lift_is_0_at_chance_and_1_at_best(ap: float, prevalence: float, wanted: float) -> None:
    assert metrics.lift(ap, prevalence) == pytest.approx(wanted)


def test_lift_is_undefined_without_healthy_voxels_and_without_average_precision() -> None:
    assert isnan(metrics.lift(1.0, 1.0))
    assert isnan(metrics.lift(nan, 0.0))


def test_l1_of_float32_images_is_summed_in_float64() -> None:
    image = np.full(100_000, 0.1, dtype=np.float32)
    got = metrics.l1(image, np.zeros_like(image), np.ones(image.shape, dtype=bool))
    assert got == pytest.approx(float(np.float32(0.1)), rel=1e-12)
    assert isnan(metrics.l1(image, image, np.zeros(image.shape, dtype=bool)))


def test_far_from_lesion_equals_brute_force_distances() -> None:
    rng = np.random.default_rng(0)
    for spacing in [(2.0, 2.0, 2.0), (1.0, 2.5, 4.0)]:
        lesion, brain = rng.random((9, 8, 7)) < 0.01, rng.random((9, 8, 7)) < 0.8
        step = np.array(spacing)
        centres = np.argwhere(lesion) * step
        for voxel in np.argwhere(brain):
            nearest = np.sqrt(((centres - voxel * step) ** 2).sum(axis=1)).min()
            assert metrics.far_from_lesion(lesion, brain, spacing, collar_mm=7)[tuple(voxel)] == (nearest > 7)


def test_far_from_lesion_is_the_whole_brain_without_lesion() -> None:
    brain = np.random.default_rng(0).random((4, 5, 6)) < 0.5
    got = metrics.far_from_lesion(np.zeros_like(brain), brain, (2.0, 2.0, 2.0))
    np.testing.assert_array_equal(got, brain)
    assert not np.shares_memory(got, brain)


def column(values: Sequence[float]) -> Volume:
    return np.array(values).reshape(-1, 1, 1)


def test_l1_ratio_leaves_the_collar_and_all_outside_the_brain_out() -> None:
    """Lesion residual 0.6, far residual 0.2; the collar's 0.9 and the background's 5 count nowhere."""
    image = column([5, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 5])
    lesion, brain = column([1, 1] + [0] * 8) > 0, column([0] + [1] * 8 + [0]) > 0
    got = metrics.l1_ratio(image, np.zeros_like(image), lesion, brain, (2.0, 2.0, 2.0))
    assert got == pytest.approx(3)


def test_l1_ratio_is_undefined_without_lesion_without_rest_and_without_error_in_the_rest() -> None:
    image, brain = np.full((20, 1, 1), 0.5), np.ones((20, 1, 1), dtype=bool)
    lesion, spacing = np.arange(20).reshape(20, 1, 1) < 2, (2.0, 2.0, 2.0)
    assert isnan(metrics.l1_ratio(image, image * 0, np.zeros_like(brain), brain, spacing))
    assert isnan(metrics.l1_ratio(image[:5], image[:5] * 0, lesion[:5], brain[:5], spacing))
    assert isnan(metrics.l1_ratio(image, image, lesion, brain, spacing))


def components_by_flooding(prediction: Mask) -> int:
    left, count = {tuple(voxel) for voxel in np.argwhere(prediction).tolist()}, 0
    while left:
        count, edge = count + 1, [left.pop()]
        while edge:
            x, y, z = edge.pop()
            near = {(x + i, y + j, z + k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)} & left
            left -= near
            edge += near
    return count


def test_components_equal_those_found_by_flooding() -> None:
    counts = []
    for seed in range(60):
        prediction = np.random.default_rng(seed).random((6, 5, 4)) < 0.12
        counts.append(components(prediction).count)
        assert counts[-1] == components_by_flooding(prediction)
    assert len(set(counts)) > 3


@pytest.mark.parametrize("metric", [metrics.average_precision, metrics.auroc])
def test_a_nan_score_is_refused_whether_it_lies_in_the_lesion_or_not(metric) -> None:  # type: ignore[no-untyped-def]
    for place in (0, 2):
        scores = np.array([0.5, 0.2, 0.1])
        scores[place] = nan
        with pytest.raises(ValueError, match="NaN"):
            metric(scores, np.array([True, False, False]))


def test_masks_of_another_shape_or_type_are_refused_rather_than_broadcast() -> None:
    with pytest.raises(ValueError, match=r"Got shape \(1,\), expected \(3,\)"):
        metrics.dice(np.ones(1, dtype=bool), np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="expected bool"):
        metrics.average_precision(np.ones(3), np.ones(3, dtype=np.uint8))


def test_every_metric_is_listed_under_its_own_name_with_a_direction_that_fits() -> None:
    known = metrics.METRICS.usable()
    assert all(name == metric.name for name, metric in known.items())
    directions = {name: metric.higher_is_better for name, metric in known.items()}
    overlap = {"dice", "precision", "recall", "oracle_dice", "surface_dice"}
    ranks = {"auprc", "auprc_box", "auprc_pooled", "auprc_lift", "auroc"}
    lesions = {"lesion_recall", "lesion_precision", "lesion_f1", "froc", "froc_at_1", "found", "found_tenth"}
    lesions |= {"lesion_recall_bounded", "lesion_f1_bounded"}
    better = overlap | ranks | lesions | {"l1_ratio", "ssim", "psnr", "l1_ratio_box", "ssim_box", "psnr_box"}
    assert {name for name, higher in directions.items() if higher} == better
    neutral = {"threshold", "lesion_ml", "lesion_outside_grid_ml", "lesion_lost_ml", "lesion_l1", "shift_dose"}
    neutral |= {"histogram_entropy_difference", "score_p99", "flagged_ml"}
    assert {name for name, higher in directions.items() if higher is None} == neutral


def test_examples_in_the_docstrings_hold() -> None:
    modules = [import_module(f"benchmark.metrics.{found.name}") for found in iter_modules(metrics.__path__)]
    results = [doctest.testmod(module) for module in (*modules, area_opening)]
    assert sum(result.attempted for result in results) > 20
    assert not any(result.failed for result in results)
