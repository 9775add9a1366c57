"""Thresholds at so many false alarms a scan, against a search over every score, and what counts as found."""

import numpy as np
import pytest
from scipy import ndimage

from benchmark.detection import Scan, count_alarms, cross_fitted_thresholds, found, ladder
from benchmark.metrics import alarms
from benchmark.postprocessing import CHAINS, remove_small

SHAPE = (14, 14, 10)
BRAIN = np.pad(np.ones((12, 12, 8), dtype=bool), 1)


def scan(subject: str, seed: int, smallest: int = 1) -> Scan:
    scores = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1.2) * BRAIN
    return Scan(subject, scores.astype(np.float32), BRAIN, smallest)


def mean_alarms(scans: list[Scan], threshold: float) -> float:
    return float(np.mean([count_alarms(one.scores > threshold, one.smallest) for one in scans]))


@pytest.mark.parametrize("smallest", [1, 7])
def test_a_subjects_threshold_raises_about_one_alarm_in_the_others_and_comes_from_above(smallest: int) -> None:
    scans = [scan(f"s{seed}", seed, smallest) for seed in range(6)]
    steps = ladder(scans)
    for subject, threshold in cross_fitted_thresholds(scans).items():
        others = [one for one in scans if one.subject_id != subject]
        assert mean_alarms(others, threshold) <= 1
        at = steps.tolist().index(threshold)
        assert all(mean_alarms(others, step) <= 1 for step in steps[:at])
        assert mean_alarms(others, steps[at + 1]) > 1


def test_a_scan_takes_no_part_in_its_own_threshold() -> None:
    scans = [scan(f"s{seed}", seed) for seed in range(5)]
    before = cross_fitted_thresholds(scans)
    noisy = Scan("s0", scans[0].scores * np.float32(1.0001), BRAIN, 1)
    after = cross_fitted_thresholds([noisy, *scans[1:]])
    assert after["s0"] == pytest.approx(before["s0"], rel=0.02)
    assert before["s0"] > 0


def test_merged_alarms_far_down_do_not_count_as_few() -> None:
    """At 0 the whole brain is one component: that is not the threshold of one alarm a scan."""
    scans = [scan(f"s{seed}", seed) for seed in range(4)]
    assert mean_alarms(scans, 0) == 1
    assert all(threshold > 0.5 for threshold in cross_fitted_thresholds(scans).values())


def test_maps_of_zeros_have_a_threshold_that_nothing_exceeds() -> None:
    blank = [Scan(name, np.zeros(SHAPE, np.float32), BRAIN, 1) for name in ("a", "b")]
    assert cross_fitted_thresholds(blank) == {"a": 0.0, "b": 0.0}


def test_one_subject_alone_has_no_threshold() -> None:
    with pytest.raises(ValueError, match="scans of 1 subjects"):
        cross_fitted_thresholds([scan("s", 0), scan("s", 1)])


def test_alarms_are_counted_as_by_removing_small_components_first() -> None:
    rng = np.random.default_rng(3)
    chain = CHAINS["paper"]
    for _ in range(50):
        prediction = rng.random(SHAPE) > rng.uniform(0.7, 0.99)
        assert count_alarms(prediction, chain.smallest(0.008)) == alarms(remove_small(prediction, chain, 0.008))


def test_found_asks_for_one_voxel_or_a_share_and_is_undefined_without_lesion() -> None:
    lesion = np.zeros(30, dtype=bool)
    lesion[:20] = True
    prediction = np.zeros(30, dtype=bool)
    assert found(prediction, lesion) == 0
    prediction[[0, 25, 26]] = True
    assert found(prediction, lesion) == 1
    assert found(prediction, lesion, share=0.1) == 0
    prediction[1] = True
    assert found(prediction, lesion, share=0.1) == 1
    assert np.isnan(found(prediction, np.zeros(30, dtype=bool)))
