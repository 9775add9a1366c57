"""Area opening against the removal of small components at every threshold there is."""

import numpy as np
from volumes import drawn, without_small

from benchmark.postprocessing.area_opening import area_opening


def test_a_threshold_of_the_opened_map_is_the_threshold_without_small_components() -> None:
    compared = 0
    for one in drawn(400, longest=7):
        smallest = one.number % 9 + 1
        opened = area_opening(one.scores, smallest)
        for threshold in np.unique(np.append(one.scores, 0)):
            expected = without_small(one.scores > threshold, smallest)
            np.testing.assert_array_equal(opened > threshold, expected)
            compared += expected.any()
    assert compared > 300


def test_a_map_of_zeros_stays_one() -> None:
    assert not area_opening(np.zeros((3, 4, 5), dtype=np.float32), 7).any()


def test_the_map_itself_is_left_as_it_was() -> None:
    scores = np.random.default_rng(0).random((5, 5, 5), dtype=np.float32)
    before = scores.copy()
    area_opening(scores, 7)
    np.testing.assert_array_equal(scores, before)
    assert not np.shares_memory(area_opening(scores, 1), scores)
