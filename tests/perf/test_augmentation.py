"""Speed of planning and of drawing augmented slices, against torchio's transforms in the same run."""

from timeit import repeat

import pytest
import torch
import torchio
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from baselines.slices.sampling import Volumes, draw_slices, hold_volumes, random_plans
from benchmark.methods.contract.trial import simulated_case

BATCH = 16
SAMPLES = 8 * BATCH


def cohort(shape: tuple[int, int, int]) -> Volumes:
    return hold_volumes([simulated_case(index, shape) for index in range(4)], "training", torch.device("cpu"))


def draw_batches(volumes: Volumes, plans: Tensor) -> Tensor:
    return torch.cat([draw_slices(volumes, plan, augment=True) for plan in plans.split(BATCH)])


def draw_by_torchio(volumes: Volumes, plans: Tensor, transform: torchio.Transform) -> Tensor:
    return torch.stack([transform(volumes.images[case].float())[..., z] for case, z, _ in plans.tolist()])


@pytest.mark.parametrize("shape", [(96, 96, 50), (48, 48, 25)], ids=["paper", "quick"])
def test_augmented_slices_come_four_times_as_fast_as_torchios_transforms(
    benchmark: BenchmarkFixture, shape: tuple[int, int, int]
) -> None:
    volumes = cohort(shape)
    plans = random_plans(volumes, SAMPLES, seed=0)
    transform = torchio.Compose(
        [
            torchio.RandomBlur(p=0.25),
            torchio.RandomBiasField(p=0.25),
            torchio.RandomGamma(p=0.5),
            torchio.RandomGhosting(p=0.5),
        ]
    )
    slices = benchmark(draw_batches, volumes, plans)
    assert slices.shape == (SAMPLES, 1, *shape[:2])
    own_seconds = min(repeat(lambda: draw_batches(volumes, plans), number=1, repeat=3))
    torchio_seconds = min(repeat(lambda: draw_by_torchio(volumes, plans, transform), number=1, repeat=2))
    benchmark.extra_info["own_ms_a_sample"] = 1000 * own_seconds / SAMPLES
    benchmark.extra_info["torchio_ms_a_sample"] = 1000 * torchio_seconds / SAMPLES
    benchmark.extra_info["times_as_fast"] = torchio_seconds / own_seconds
    assert own_seconds < torchio_seconds / 4


def test_plans_take_less_than_five_microseconds_each(benchmark: BenchmarkFixture) -> None:
    volumes = cohort((48, 48, 25))
    slices = benchmark(random_plans, volumes, 100_000, seed=0)
    seconds = min(repeat(lambda: [slices[index] for index in range(1000)], number=1, repeat=3))
    making = min(repeat(lambda: random_plans(volumes, 100_000, seed=0), number=1, repeat=3))
    assert seconds / 1000 + making / 100_000 < 5e-6
