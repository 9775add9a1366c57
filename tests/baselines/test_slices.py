"""Slices drawn for training are those of one slice a volume and epoch, whoever draws them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from baselines.augmentation import augmented
from baselines.slices import RandomSlices, Volumes, evenly_spaced_slices, hold_volumes
from benchmark.trial import simulated_case
from datasets.case import Case

SHAPE = (16, 16, 6)


def labelled_volumes(cases: int, depth: int, empty: tuple[int, ...] = ()) -> Volumes:
    """Every voxel holds `(case * depth + z) / 1000`; slices `empty` hold no brain."""
    labels = torch.arange(cases * depth).view(cases, 1, 1, 1, depth) / 1000
    brain_masks = torch.ones(cases, 1, 4, 4, depth, dtype=torch.bool)
    brain_masks[..., list(empty)] = False
    return Volumes((labels * brain_masks).half(), brain_masks)


def drawn(slices: RandomSlices, depth: int) -> list[tuple[int, int]]:
    """`(case, z)` of every item."""
    labels = [round(float(slices[index].max()) * 1000) for index in range(len(slices))]
    return [divmod(label, depth) for label in labels]


def test_every_epoch_draws_every_volume_once_in_another_order() -> None:
    slices = RandomSlices(labelled_volumes(7, 5), 28, seed=0, augment=False)
    cases = [case for case, _ in drawn(slices, 5)]
    epochs = [cases[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_slices_are_drawn_uniformly() -> None:
    slices = RandomSlices(labelled_volumes(2, 5), 1000, seed=1, augment=False)
    counts = np.bincount([z for _, z in drawn(slices, 5)], minlength=5)
    assert counts.min() > 150
    assert counts.max() < 250  # 4 s.d. around 200


def test_slices_without_brain_are_not_drawn() -> None:
    slices = RandomSlices(labelled_volumes(3, 5, empty=(0, 4)), 60, seed=2, augment=False)
    assert {z for _, z in drawn(slices, 5)} == {1, 2, 3}


def test_seeds_decide_the_draw() -> None:
    volumes = labelled_volumes(5, 9)
    first, again, other = (RandomSlices(volumes, 20, seed=seed, augment=False) for seed in (3, 3, 4))
    assert drawn(first, 9) == drawn(again, 9)
    assert drawn(first, 9) != drawn(other, 9)


def test_worker_processes_change_nothing() -> None:
    volumes = hold_volumes([simulated_case(index, SHAPE) for index in range(2)], "training")
    slices = RandomSlices(volumes, 6, seed=5, augment=True)
    alone = torch.cat(list(DataLoader(slices, 2)))
    shared = torch.cat(list(DataLoader(slices, 2, num_workers=2, multiprocessing_context="fork")))
    assert torch.equal(alone, shared)


def test_evenly_spaced_slices_reach_from_the_first_to_the_last_with_brain() -> None:
    slices = evenly_spaced_slices(labelled_volumes(2, 9, empty=(0,)), 3)
    assert slices.shape == (6, 1, 4, 4)
    assert (slices[:, 0, 0, 0] * 1000).round().tolist() == [1, 5, 8, 10, 14, 17]


def test_fewer_slices_than_asked_for_come_once_each() -> None:
    assert len(evenly_spaced_slices(labelled_volumes(1, 4), 8)) == 4


def test_held_volumes_are_the_cases_up_to_half_precision() -> None:
    cases = [simulated_case(index, SHAPE) for index in range(3)]
    volumes = hold_volumes(cases, "training")
    images = np.stack([case.image for case in cases])
    assert np.abs(volumes.images.float().numpy() - images).max() <= 2.5e-4
    assert np.array_equal(volumes.brain_masks.numpy()[:, 0], np.stack([case.brain_mask for case in cases]))


def test_no_case_is_refused() -> None:
    with pytest.raises(ValueError, match="no healthy validation case"):
        hold_volumes([], "validation")


def test_cases_of_another_shape_are_refused() -> None:
    cases = [simulated_case(0, SHAPE), simulated_case(1, (16, 16, 5))]
    with pytest.raises(ValueError, match=r"'simulated-1': got shape \(1, 16, 16, 5\), wanted \(1, 16, 16, 6\)"):
        hold_volumes(cases, "training")


def test_a_case_without_brain_is_refused() -> None:
    case = simulated_case(0, SHAPE)
    empty: Case = replace(case, brain_mask=np.zeros_like(case.brain_mask))
    with pytest.raises(ValueError, match="'simulated-0': got an empty brain mask"):
        hold_volumes([empty], "training")


def test_augmented_images_stay_in_range_and_in_the_brain() -> None:
    case = simulated_case(0, (24, 24, 12))
    image, brain_mask = torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None]
    variants = [augmented(image, brain_mask, seed=seed) for seed in range(12)]
    for variant in variants:
        assert variant.dtype == torch.float32
        assert variant.min() >= 0
        assert variant.max() <= 1
        assert (variant[~brain_mask] == 0).all()
    assert sum(not torch.allclose(variant, image, atol=1e-3) for variant in variants) >= 6


def test_augmentation_is_decided_by_its_seed_and_leaves_the_generator() -> None:
    case = simulated_case(0, (24, 24, 12))
    image, brain_mask = torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None]
    state = torch.get_rng_state()
    assert torch.equal(augmented(image, brain_mask, seed=4), augmented(image, brain_mask, seed=4))
    assert torch.equal(torch.get_rng_state(), state)
