"""Plans are those of one place a volume and epoch, slices are drawn where they say, and a step decides its batch."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from whole_volumes import augmented

from baselines.slices.sampling import (
    Batches,
    Volumes,
    draw_slices,
    evenly_spaced_slices,
    first_slices,
    hold_volumes,
    random_plans,
)
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case

CPU = torch.device("cpu")
SHAPE = (16, 16, 6)


def labelled_volumes(cases: int, depth: int, empty: tuple[int, ...] = ()) -> Volumes:
    """Every voxel holds `(case * depth + z) / 1000`; slices `empty` hold no brain."""
    labels = torch.arange(cases * depth).view(cases, 1, 1, 1, depth) / 1000
    brain_masks = torch.ones(cases, 1, 4, 4, depth, dtype=torch.bool)
    brain_masks[..., list(empty)] = False
    return Volumes((labels * brain_masks).half(), brain_masks)


def places(plans: Tensor) -> list[tuple[int, int]]:
    """`(case, z)` of every plan."""
    return [(case, z) for case, z, _ in plans.tolist()]


def test_every_epoch_draws_every_volume_once_in_another_order() -> None:
    slices = random_plans(labelled_volumes(7, 5), 28, seed=0)
    cases = [case for case, _ in places(slices)]
    epochs = [cases[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_orders_of_volumes_are_equally_likely() -> None:
    slices = random_plans(labelled_volumes(3, 5), 3 * 1200, seed=0)
    cases = [case for case, _ in places(slices)]
    counts = Counter(tuple(cases[start : start + 3]) for start in range(0, len(cases), 3))
    assert len(counts) == 6
    assert min(counts.values()) > 140
    assert max(counts.values()) < 260  # 4.6 s.d. around 200


def test_places_are_drawn_uniformly() -> None:
    slices = random_plans(labelled_volumes(2, 5), 1000, seed=1)
    counts = np.bincount([z for _, z in places(slices)], minlength=5)
    assert counts.min() > 150
    assert counts.max() < 250  # 4 s.d. around 200


def test_slices_without_brain_are_not_drawn() -> None:
    slices = random_plans(labelled_volumes(3, 5, empty=(0, 2, 4)), 60, seed=2)
    assert {z for _, z in places(slices)} == {1, 3}


def test_windows_stay_between_the_first_slice_with_brain_and_the_last() -> None:
    slices = random_plans(labelled_volumes(3, 9, empty=(0, 8)), 200, seed=2, stack=3)
    counts = np.bincount([z for _, z in places(slices)], minlength=9)
    assert counts.nonzero()[0].tolist() == [1, 2, 3, 4, 5]
    assert counts.max() < 70  # 5 s.d. above 40


def test_a_window_holds_brain_itself() -> None:
    allowed = first_slices(labelled_volumes(1, 8, empty=(2, 3, 4)), 2)
    assert allowed[0].nonzero()[:, 0].tolist() == [0, 1, 4, 5, 6]


@pytest.mark.parametrize(("brain", "first"), [(0, 0), (2, 2), (4, 3), (5, 3)])
def test_a_window_longer_than_the_brain_begins_with_it_or_ends_with_the_volume(brain: int, first: int) -> None:
    volumes = labelled_volumes(1, 6, empty=tuple(z for z in range(6) if z != brain))
    assert first_slices(volumes, 3)[0].nonzero()[:, 0].tolist() == [first]


@pytest.mark.parametrize("stack", [0, 6])
def test_windows_of_more_slices_than_a_volume_has_are_refused(stack: int) -> None:
    with pytest.raises(ValueError, match=rf"Got a stack of {stack} slices, expected 1\.\.5"):
        random_plans(labelled_volumes(1, 5), 4, seed=0, stack=stack)


def test_a_plan_does_not_depend_on_how_many_there_are() -> None:
    volumes = labelled_volumes(5, 9)
    whole = random_plans(volumes, 20, seed=3)
    for count in (0, 1, 5, 12, 19):
        assert torch.equal(random_plans(volumes, count, seed=3), whole[:count])


def test_seeds_decide_the_plans() -> None:
    volumes = labelled_volumes(5, 9)
    first, again, other = (random_plans(volumes, 20, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first[:, 0], other[:, 0])
    assert not set(first[:, 2].tolist()) & set(other[:, 2].tolist())


def test_every_item_has_its_own_augmentation_seed() -> None:
    assert len(random_plans(labelled_volumes(3, 5), 2000, seed=0)[:, 2].unique()) == 2000


def test_slices_are_drawn_where_the_plan_says() -> None:
    volumes = labelled_volumes(4, 6)
    plan = torch.tensor([[3, 0, 5], [0, 4, 6], [2, 3, 7]])
    slices = draw_slices(volumes, plan, stack=2)
    assert (slices.shape, slices.dtype) == ((3, 2, 4, 4), torch.float32)
    assert (slices[:, :, 1, 2] * 1000).round().tolist() == [[18, 19], [4, 5], [15, 16]]


def test_augmented_slices_are_those_of_the_augmented_volumes() -> None:
    volumes = hold_volumes([simulated_case(index, SHAPE) for index in range(4)], "training", CPU)
    plan = random_plans(volumes, 12, seed=5, stack=2)
    cases, first, seeds = plan.unbind(dim=1)
    whole = augmented(volumes.images[cases], volumes.brain_masks[cases], seeds, spacing=2.0)
    slices = draw_slices(volumes, plan, stack=2, augment=True)
    for k, z in enumerate(first.tolist()):
        assert torch.equal(slices[k].movedim(0, -1), whole[k, 0, ..., z : z + 2])
    assert not torch.allclose(slices, draw_slices(volumes, plan, stack=2), atol=1e-3)


def test_evenly_spaced_slices_reach_from_the_first_to_the_last_with_brain() -> None:
    slices = evenly_spaced_slices(labelled_volumes(2, 9, empty=(0,)), 3)
    assert (slices.shape, slices.dtype) == ((6, 1, 4, 4), torch.float32)
    assert (slices[:, 0, 0, 0] * 1000).round().tolist() == [1, 5, 8, 10, 14, 17]


def test_evenly_spaced_windows_do_too() -> None:
    slices = evenly_spaced_slices(labelled_volumes(1, 9, empty=(0,)), 2, stack=3)
    assert (slices[:, :, 0, 0] * 1000).round().tolist() == [[1, 2, 3], [6, 7, 8]]


def test_fewer_slices_than_asked_for_come_once_each() -> None:
    assert len(evenly_spaced_slices(labelled_volumes(1, 4), 8)) == 4


def test_held_volumes_are_the_cases_up_to_half_precision() -> None:
    cases = [simulated_case(index, SHAPE) for index in range(3)]
    volumes = hold_volumes(cases, "training", CPU)
    images = np.stack([case.image for case in cases])
    assert np.abs(volumes.images.float().numpy() - images).max() <= 2.5e-4
    assert np.array_equal(volumes.brain_masks.numpy()[:, 0], np.stack([case.brain_mask for case in cases]))


def test_no_case_is_refused() -> None:
    with pytest.raises(ValueError, match="no healthy validation case"):
        hold_volumes([], "validation", CPU)


def test_cases_of_another_shape_are_refused() -> None:
    cases = [simulated_case(0, SHAPE), simulated_case(1, (16, 16, 5))]
    with pytest.raises(ValueError, match=r"'simulated-1': got shape \(1, 16, 16, 5\), expected \(1, 16, 16, 6\)"):
        hold_volumes(cases, "training", CPU)


def test_a_case_without_brain_is_refused() -> None:
    case = simulated_case(0, SHAPE)
    empty: Case = replace(case, brain_mask=np.zeros_like(case.brain_mask))
    with pytest.raises(ValueError, match="'simulated-0': got an empty brain mask"):
        hold_volumes([empty], "training", CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("augment", [False, True])
def test_slices_drawn_on_a_gpu_are_those_of_the_cpu(augment: bool) -> None:
    cases = [simulated_case(index, SHAPE) for index in range(4)]
    plan = random_plans(hold_volumes(cases, "training", CPU), 24, seed=5, stack=2)
    on_cpu, on_gpu = (
        draw_slices(hold_volumes(cases, "training", torch.device(kind)), plan, stack=2, augment=augment)
        for kind in ("cpu", "cuda")
    )
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, atol=2e-5 if augment else 0, rtol=0)


def numbered_volumes() -> Volumes:
    """Every voxel of a slice holds its own number, in 0..34 / 64."""
    labels = torch.arange(35).view(7, 1, 1, 1, 5) / 64
    return Volumes(labels.expand(7, 1, 4, 4, 5).half().contiguous(), torch.ones(7, 1, 4, 4, 5, dtype=torch.bool))


def batches(**changes: object) -> Batches:
    settings = {"steps": 10, "size": 4, "stack": 1, "augment": False, "seed": 0, "stage": "train"} | changes
    return Batches(numbered_volumes(), **settings)  # type: ignore[arg-type]


def slices_of_a_batch(**changes: object) -> list[float]:
    made = batches(**changes)
    return [float(label) for step in range(10) for label in made.slices(step)[:, 0, 0, 0]]


def test_a_step_is_the_same_whatever_was_drawn_before() -> None:
    first, second = batches(), batches()
    for step in range(5):
        first.slices(step)
    assert torch.equal(first.slices(5), second.slices(5))
    assert first.seed(5) == second.seed(5)


def test_seed_and_stage_decide_the_draw() -> None:
    assert slices_of_a_batch() == slices_of_a_batch()
    assert slices_of_a_batch() != slices_of_a_batch(seed=1)
    assert slices_of_a_batch() != slices_of_a_batch(stage="pretrain")


def test_no_two_steps_stages_seeds_or_ranks_have_one_randomness() -> None:
    variants = ({}, {"seed": 1}, {"stage": "pretrain"}, {"rank": 1, "ranks": 2})
    seeds = [batches(**changes).seed(step) for changes in variants for step in range(50)]
    assert len(set(seeds)) == len(seeds)


def test_ranks_share_the_slices_of_a_step() -> None:
    whole = batches(size=6)
    parts = [batches(size=6, rank=rank, ranks=3) for rank in range(3)]
    for step in range(3):
        assert torch.equal(torch.cat([part.slices(step) for part in parts]), whole.slices(step))


def test_stacks_are_neighbouring_slices() -> None:
    stacks = batches(stack=3).slices(0)
    assert stacks.shape == (4, 3, 4, 4)
    assert (stacks.diff(dim=1) == 1 / 64).all()
