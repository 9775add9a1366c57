"""Lesion-wise counts against sets of voxels, and cases worked out by hand."""

from math import isnan
from pathlib import Path

import numpy as np
import pytest
from volumes import Mask, drawn, flooded

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.lesionwise import Matches, froc_point, lesion_levels, match_lesions
from benchmark.metrics.masks import components
from datasets.case import CaseFiles


def by_sets(prediction: Mask, lesion: Mask) -> tuple[int, int, int, int]:
    """Lesions found, lesions, true alarms, alarms."""
    lesions, alarms = flooded(lesion), flooded(prediction)
    predicted, real = (set().union(*parts) for parts in (alarms, lesions))
    found = sum(10 * len(one & predicted) >= len(one) for one in lesions)
    true = sum(10 * len(one & real) >= len(one) for one in alarms)
    return found, len(lesions), true, len(alarms)


def test_lesions_and_alarms_equal_sets_of_voxels_over_random_volumes() -> None:
    for one in drawn(1000):
        found, lesions, true, alarms = by_sets(one.prediction, one.lesion)
        got = match_lesions(one.prediction, one.lesion)
        assert (got.found.sum(), got.found.size, got.true.sum(), got.true.size) == (found, lesions, true, alarms)
        assert got.false_positives == alarms - true
        recall = found / lesions if lesions else np.nan
        precision = true / alarms if alarms and lesions else np.nan
        np.testing.assert_allclose([got.recall, got.precision], [recall, precision])
        if not lesions:
            assert isnan(got.f1)
        elif not found or not true:
            assert got.f1 == 0
        else:
            assert got.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_lesion_is_found_from_its_level_down_and_not_at_it() -> None:
    found = set[bool]()
    for one in drawn(300):
        lesions = components(one.lesion)
        levels = lesion_levels(one.scores[one.lesion], lesions)
        for threshold in np.unique(np.append(one.scores, 0)):
            wanted = match_lesions(one.scores > threshold, one.lesion).found
            np.testing.assert_array_equal(levels > threshold, wanted)
            found |= set(wanted.tolist())
    assert found == {False, True}


def line(*places: int) -> Mask:
    mask = np.zeros((30, 1, 1), dtype=bool)
    mask[list(places)] = True
    return mask


def test_one_alarm_over_everything_finds_lesions_and_is_false() -> None:
    """It has 2 of 30 voxels in lesions, under 10 %."""
    got = match_lesions(np.ones((30, 1, 1), dtype=bool), line(3, 20))
    assert (got.recall, got.precision, got.f1, got.false_positives) == (1, 0, 0, 1)


def test_a_voxel_that_grazes_a_large_lesion_is_a_true_alarm_and_no_find() -> None:
    got = match_lesions(line(0), line(*range(20)))
    assert (got.recall, got.precision, got.f1) == (0, 1, 0)


def test_exactly_ten_percent_is_enough() -> None:
    assert match_lesions(line(0), line(*range(10))).recall == 1
    assert match_lesions(line(0), line(*range(11))).recall == 0
    assert match_lesions(line(*range(10)), line(0)).precision == 1
    assert match_lesions(line(*range(11)), line(0)).precision == 0


def test_no_alarm_has_no_precision_and_f1_0() -> None:
    got = match_lesions(line(), line(4))
    assert (got.recall, got.f1, got.false_positives) == (0, 0, 0)
    assert isnan(got.precision)


def test_the_recall_at_a_rate_does_not_come_back_when_alarms_grow_together() -> None:
    rates, recalls = np.array([0, 0.5, 2, 9, 0.0]), np.array([0.1, 0.3, 0.5, 0.8, 1])
    assert [froc_point(rates, recalls, allowed) for allowed in (0.25, 1, 2, 8)] == [0.1, 0.3, 0.5, 0.5]
    assert froc_point(np.array([3.0]), np.array([1.0]), 1) == 0


FILES = CaseFiles("", Path(), Path(), None, "", "", "test")


def bounded(prediction: Mask, lesion: Mask) -> Matches:
    truth = GroundTruth(FILES, np.ones_like(lesion), lesion, (1.0, 1.0, 1.0), 0)
    return truth.bounded_matches(truth.prediction(prediction[truth.brain_mask]))


def test_bounded_hits_equal_sets_of_voxels_and_are_never_more() -> None:
    for one in drawn(400):
        lesions, parts = flooded(one.lesion), flooded(one.prediction)
        real = set().union(*lesions)
        true = [part for part in parts if 10 * len(part & real) >= 3 * len(part)]
        counted = set().union(*true)
        found = sum(10 * len(lesion & counted) >= len(lesion) for lesion in lesions)
        got, usual = bounded(one.prediction, one.lesion), match_lesions(one.prediction, one.lesion)
        assert (got.found.sum(), got.true.sum()) == (found, len(true))
        assert not (got.found & ~usual.found).any()
        assert not (got.true & ~usual.true).any()


def test_a_component_that_covers_much_else_finds_nothing_within_bounds() -> None:
    """Of 30 voxels 6 are lesion: enough for a hit by overlap-10, of all lesions and without a false positive."""
    everything, lesion = np.ones((30, 1, 1), dtype=bool), line(3, 4, 5, 20, 21, 22)
    usual, within = match_lesions(everything, lesion), bounded(everything, lesion)
    assert (usual.recall, usual.f1, usual.false_positives) == (1, 1, 0)
    assert (within.recall, within.f1, within.false_positives) == (0, 0, 1)
    assert bounded(lesion, lesion).f1 == 1
