"""Area opening against the removal of small components at every threshold there is."""

import numpy as np
import pytest
from volumes import drawn

from benchmark.scoring.postprocessing.area_opening import alarm_level, area_opening
from benchmark.scoring.postprocessing.chains import remove_small
from benchmark.study.chains import CHAINS, Chain


def test_a_threshold_of_the_opened_map_is_the_threshold_without_small_components() -> None:
    compared = 0
    for one in drawn(400, longest=7):
        smallest = one.number % 9 + 1
        opened = area_opening(one.scores, smallest)
        for threshold in np.unique(np.append(one.scores, 0)):
            wanted = remove_small(one.scores > threshold, Chain("x", "x", min_voxels=smallest), 1.0)
            np.testing.assert_array_equal(opened > threshold, wanted)
            compared += wanted.any()
    assert compared > 300


def test_a_map_of_zeros_stays_one() -> None:
    assert not area_opening(np.zeros((3, 4, 5), dtype=np.float32), 7).any()


def test_the_map_itself_is_left_as_it_was() -> None:
    scores = np.random.default_rng(0).random((5, 5, 5), dtype=np.float32)
    before = scores.copy()
    area_opening(scores, 7)
    np.testing.assert_array_equal(scores, before)
    assert not np.shares_memory(area_opening(scores, 1), scores)


CUBES = Chain("cubes", "components of five voxels", min_voxels=5)


@pytest.mark.parametrize("chain", [CUBES, CHAINS["none"], CHAINS["light"]], ids=lambda chain: chain.name)
@pytest.mark.parametrize("seed", range(5))
def test_a_scan_alarms_at_a_threshold_if_and_only_if_its_level_exceeds_it(chain: Chain, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 12, (6, 6, 5)).astype(np.float32)  # many ties
    brain_mask = rng.random(scores.shape) > 0.3
    level = alarm_level(scores, brain_mask, chain.smallest(0.008))
    for threshold in np.arange(0, 13, 0.5):
        prediction = remove_small((scores > threshold) & brain_mask, chain, 0.008)
        assert prediction.any() == (level > threshold)


def test_a_map_of_zeros_never_alarms() -> None:
    nothing = np.zeros((4, 4, 4), dtype=np.float32)
    assert alarm_level(nothing, np.ones((4, 4, 4), dtype=bool), CUBES.smallest(1.0)) == 0


def test_what_lies_outside_the_brain_raises_no_alarm() -> None:
    scores = np.full((4, 4, 4), 3.0, dtype=np.float32)
    scores[0] = 9
    brain_mask = np.ones((4, 4, 4), dtype=bool)
    brain_mask[0] = False
    assert alarm_level(scores, brain_mask, CUBES.smallest(1.0)) == 3
