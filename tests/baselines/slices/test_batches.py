"""A step's slices and randomness are those of (seed, stage, step), and ranks share them."""

import torch

from baselines.slices.sampling import Batches, Volumes


def volumes() -> Volumes:
    """Every voxel of a slice holds its own number, in 0..34 / 64."""
    labels = torch.arange(35).view(7, 1, 1, 1, 5) / 64
    return Volumes(labels.expand(7, 1, 4, 4, 5).half().contiguous(), torch.ones(7, 1, 4, 4, 5, dtype=torch.bool))


def batches(**changes: object) -> Batches:
    settings = {"steps": 10, "size": 4, "stack": 1, "augment": False, "seed": 0, "stage": "train"} | changes
    return Batches(volumes(), **settings)  # type: ignore[arg-type]


def drawn(**changes: object) -> list[float]:
    made = batches(**changes)
    return [float(label) for step in range(10) for label in made.slices(step)[:, 0, 0, 0]]


def test_a_step_is_the_same_whatever_was_drawn_before() -> None:
    first, second = batches(), batches()
    for step in range(5):
        first.slices(step)
    assert torch.equal(first.slices(5), second.slices(5))
    assert first.seed(5) == second.seed(5)


def test_seed_and_stage_decide_the_draw() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    assert drawn() != drawn(stage="pretrain")


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
