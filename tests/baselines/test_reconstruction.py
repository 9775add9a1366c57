"""Volumes are folded into slices and back, and no map knows of its neighbours."""

import time
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from baselines.reconstruction import SliceReconstruction

SIZE, DEPTH = 12, 5


class Noisy(SliceReconstruction):
    """Adds to each slice a constant drawn from its seed; remembers the batches it was given."""

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        size: int = SIZE

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.zeros(()))
        self.batches: list[int] = []

    def loss(self, slices: Tensor) -> Tensor:
        return (slices - self.weight).square().mean()

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        self.batches.append(len(slices))
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        shifts = torch.stack([torch.rand(1, generator=generator) for generator in generators])
        return slices + shifts[:, :, None, None] + self.weight


def volumes(cases: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Images, brain masks and seeds; the first slice of case 0 and the last of case 1 hold no brain."""
    images = torch.rand(cases, 1, SIZE, SIZE, DEPTH, generator=torch.Generator().manual_seed(0))
    brain_masks = torch.zeros_like(images, dtype=torch.bool)
    brain_masks[:, :, 2:-2, 3:-3] = True
    brain_masks[0, ..., 0] = False
    brain_masks[1:2, ..., -1] = False
    return images, brain_masks, torch.arange(cases) + 40


def test_a_map_is_the_difference_inside_the_brain_and_0_outside() -> None:
    detector = Noisy(Noisy.Config())
    images, brain_masks, seeds = volumes()
    maps, reconstruction = detector.map_and_reconstruction(images, brain_masks, seeds=seeds)
    assert torch.equal(maps[brain_masks], (images - reconstruction).abs()[brain_masks])
    assert (maps[~brain_masks] == 0).all()
    assert torch.equal(maps, detector.anomaly_map(images, brain_masks, seeds=seeds))
    assert torch.equal(reconstruction, detector.reconstruction(images, brain_masks, seeds=seeds))


def test_each_slice_gets_its_own_seed_and_comes_back_to_its_place() -> None:
    detector = Noisy(Noisy.Config())
    images, brain_masks, seeds = volumes()
    reconstruction = detector.reconstruction(images, brain_masks, seeds=seeds)
    expected = detector.slice_seeds(seeds, DEPTH)
    for case in range(3):
        for z in range(DEPTH):
            if brain_masks[case, ..., z].any():
                shift = torch.rand(1, generator=torch.Generator().manual_seed(int(expected[case, z])))
                assert torch.equal(reconstruction[case, ..., z], images[case, ..., z] + shift)


def test_slices_without_brain_are_left_out_and_0() -> None:
    detector = Noisy(Noisy.Config())
    images, brain_masks, seeds = volumes()
    reconstruction = detector.reconstruction(images, brain_masks, seeds=seeds)
    assert (reconstruction[0, ..., 0] == 0).all()
    assert (reconstruction[1, ..., -1] == 0).all()
    assert (reconstruction[2] != 0).any(dim=0).any(dim=0).any(dim=0).all()


def test_batches_are_always_full() -> None:
    detector = Noisy(Noisy.Config())
    detector.slice_batch = 4
    images, brain_masks, seeds = volumes()
    detector.anomaly_map(images, brain_masks, seeds=seeds)
    assert detector.batches == [4, 4, 4, 4]  # 13 slices with brain


@pytest.mark.parametrize("slice_batch", [1, 4, 32])
def test_a_map_alone_is_the_map_in_any_batch_and_order(slice_batch: int) -> None:
    detector = Noisy(Noisy.Config())
    detector.slice_batch = slice_batch
    images, brain_masks, seeds = volumes()
    together = detector.anomaly_map(images, brain_masks, seeds=seeds)
    for order in ([0], [1], [2], [2, 0, 1], [1, 1]):
        apart = detector.anomaly_map(images[order], brain_masks[order], seeds=seeds[order])
        assert torch.equal(apart, together[order])


def test_a_brainless_batch_has_an_empty_map() -> None:
    detector = Noisy(Noisy.Config())
    images, brain_masks, seeds = volumes()
    maps = detector.anomaly_map(images, torch.zeros_like(brain_masks), seeds=seeds)
    assert (maps == 0).all()
    assert detector.batches == []


def test_maps_are_float32_under_autocast() -> None:
    detector = Noisy(Noisy.Config())
    images, brain_masks, seeds = volumes()
    with torch.autocast("cpu", torch.bfloat16):
        maps, reconstruction = detector.map_and_reconstruction(images, brain_masks, seeds=seeds)
    assert maps.dtype == reconstruction.dtype == torch.float32


def test_slice_seeds_can_be_shared() -> None:
    class Shared(Noisy):
        def slice_seeds(self, seeds: Tensor, depth: int) -> Tensor:
            return seeds[:, None].expand(-1, depth)

    images, brain_masks, seeds = volumes()
    reconstruction = Shared(Noisy.Config()).reconstruction(images, brain_masks, seeds=seeds)
    shifts = (reconstruction - images)[2, 0, 0, 0]
    assert torch.allclose(shifts, shifts[0].expand(DEPTH), atol=1e-6)


def test_slices_of_another_size_are_refused() -> None:
    images, brain_masks, seeds = volumes()
    with pytest.raises(ValueError, match=r"Got slices of 12 x 12, expected 48 x 48 \(config\.size\)"):
        Noisy(Noisy.Config(size=48)).anomaly_map(images, brain_masks, seeds=seeds)


def test_budgets_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="Got steps 0, expected 1 or more"):
        Noisy.Config(steps=0)


def test_a_training_is_estimated_by_its_steps_and_the_time_that_one_input_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(self: Noisy, slices: Tensor) -> Tensor:
        assert torch.is_grad_enabled()
        end = time.process_time() + 0.02 * len(slices)
        while time.process_time() < end:
            pass
        return self.weight * slices.sum()

    monkeypatch.setattr(Noisy, "loss", slow)
    state = torch.get_rng_state()
    seconds = Noisy(Noisy.Config(steps=1000, batch_size=8)).training_seconds()
    assert seconds == pytest.approx(1000 * 8 * 0.02 / torch.get_num_threads(), rel=0.5)
    assert torch.equal(torch.get_rng_state(), state)
