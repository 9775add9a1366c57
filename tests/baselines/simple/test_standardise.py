"""Brains of one anatomy under different contrasts come out alike."""

import numpy as np
import pytest
import torch

from baselines.simple.standardise import PERCENTILES, Standardisation
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case

SHAPE = (20, 19, 18)


def learnt(cases: list[Case]) -> Standardisation:
    standardisation = Standardisation()
    standardisation.learn(cases)
    return standardisation


def apply(standardisation: Standardisation, case: Case) -> np.ndarray:
    image = standardisation(torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None])
    return image[0].numpy()


def with_image(case: Case, image: np.ndarray) -> Case:
    return Case(case.case_id, image.astype(np.float32), case.brain_mask, None, case.affine)


def test_landmarks_are_the_mean_of_numpys_percentiles() -> None:
    cases = [simulated_case(index, SHAPE) for index in range(3)]
    expected = np.mean([np.percentile(case.image[0][case.brain_mask], PERCENTILES) for case in cases], axis=0)
    assert learnt(cases).landmarks.numpy() == pytest.approx(expected, abs=1e-6)


def test_between_landmarks_intensities_move_as_numpy_interpolates() -> None:
    standardisation, case = learnt([simulated_case(0, SHAPE)]), simulated_case(1, SHAPE)
    values = case.image[0][case.brain_mask]
    own = np.percentile(values, PERCENTILES)
    inside = (values > own[0]) & (values < own[-1])
    expected = np.interp(values, own, standardisation.landmarks.numpy())
    got = apply(standardisation, case)[case.brain_mask]
    assert np.abs(got - expected)[inside].max() < 1e-5


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_contrast_is_taken_back(power: float) -> None:
    case = simulated_case(0, SHAPE)
    standardisation, changed = learnt([case]), with_image(case, case.image**power)
    before = np.abs(changed.image - case.image).mean()
    after = np.abs(apply(standardisation, changed) - case.image[0]).mean()
    assert after < 0.1 * before


def test_order_is_kept_and_what_lies_beyond_the_landmarks_stays_apart() -> None:
    case = simulated_case(1, SHAPE)
    image = case.image.copy()
    bright = tuple(np.argwhere(case.brain_mask)[5])
    image[(0, *bright)] = 3.0
    before, after = image[0][case.brain_mask], apply(learnt([simulated_case(0, SHAPE)]), with_image(case, image))
    values = after[case.brain_mask][np.argsort(before)]
    assert (np.diff(values) >= -1e-6).all()
    assert after[bright] == after.max() > 2
    assert (after[~case.brain_mask] == 0).all()


def test_a_brain_of_one_intensity_is_a_brain_of_one_intensity() -> None:
    case = simulated_case(1, SHAPE)
    flat = with_image(case, 0.5 * case.brain_mask[None])
    values = apply(learnt([simulated_case(0, SHAPE)]), flat)[case.brain_mask]
    assert np.isfinite(values).all()
    assert np.ptp(values) == 0


def test_no_brain_says_nothing_and_stays_empty() -> None:
    case = simulated_case(0, SHAPE)
    empty = Case("empty", case.image, case.brain_mask & False, None, case.affine)
    assert torch.equal(learnt([case, empty]).landmarks, learnt([case]).landmarks)
    assert (apply(learnt([case]), empty) == 0).all()
