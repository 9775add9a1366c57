"""What a precision does to Dice, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.methods.contract.trial import simulated_case
from benchmark.speed.sweep import dice_difference, map_difference

HEALTHY = simulated_case(0, (24, 24, 16))


def with_lesion() -> tuple[object, np.ndarray]:  # type: ignore[type-arg]
    lesion = np.zeros_like(HEALTHY.brain_mask)
    lesion[8:14, 8:14, 5:10] = True
    lesion &= HEALTHY.brain_mask
    return replace(HEALTHY, lesion_mask=lesion), lesion


def test_equal_maps_differ_in_nothing() -> None:
    case, lesion = with_lesion()
    maps = {HEALTHY.case_id: lesion.astype(np.float32)}
    assert map_difference(maps, maps) == 0
    assert dice_difference(maps, maps, [case]) == 0  # type: ignore[list-item]


def test_a_map_that_has_lost_the_lesion_loses_its_dice() -> None:
    case, lesion = with_lesion()
    good = {HEALTHY.case_id: lesion.astype(np.float32)}
    lost = {HEALTHY.case_id: 0.1 * lesion.astype(np.float32)}
    assert map_difference(lost, good) == pytest.approx(0.9)
    difference = dice_difference(lost, good, [case])  # type: ignore[list-item]
    assert -1 <= difference < -0.5


def test_without_lesions_there_is_no_dice() -> None:
    maps = {HEALTHY.case_id: HEALTHY.image[0]}
    assert np.isnan(dice_difference(maps, maps, [HEALTHY]))
