"""PDDPM: what the network sees, what is scored, and how patches are put together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.noise import gaussian_noise
from baselines.diffusion.pddpm import PDDPM
from baselines.diffusion.schedule import add_noise
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case

TINY = PDDPM.Config(
    size=16,
    width=8,
    multipliers=(1, 2),
    residual_blocks=1,
    heads=2,
    groups=4,
    steps=2,
    batch_size=4,
    augment=False,
)


class Recorder(nn.Module):
    """Stands in for the network: keeps what it is given and answers with a function of it."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, index: Tensor, code: Tensor | None = None) -> Tensor:
        self.seen.append(x)
        return self.answer(x)


def detector(config: PDDPM.Config = TINY) -> PDDPM:
    """One with random instead of zero weights, as if trained."""
    torch.manual_seed(0)
    pddpm = PDDPM(config)
    for parameter in pddpm.parameters():
        nn.init.normal_(parameter, std=0.2)
    return pddpm.eval()


def recorded(config: PDDPM.Config, answer: Callable[[Tensor], Tensor]) -> tuple[PDDPM, Recorder]:
    pddpm, recorder = detector(config), Recorder(answer)
    pddpm.unet = recorder  # type: ignore[assignment]
    return pddpm, recorder


@torch.no_grad()
def reconstructed(ddpm: DDPM, slices: Tensor, seeds: Tensor) -> Tensor:
    return ddpm.reconstruct(slices, seeds=seeds)


def boxes(changed: Tensor) -> list[tuple[int, ...]]:
    """First and last row and column where `changed` `(B, 1, X, Y)` is true, one box a slice."""
    rows = [one[0].nonzero() for one in changed]
    return [tuple(torch.cat([row.amin(dim=0), row.amax(dim=0)]).tolist()) for row in rows]


def test_it_is_the_network_of_the_plain_ddpm_weight_for_weight() -> None:
    with torch.device("meta"):
        plain, patched = DDPM(DDPM.Config()).state_dict(), PDDPM(PDDPM.Config()).state_dict()
    assert {name: weight.shape for name, weight in patched.items()} == {n: w.shape for n, w in plain.items()}
    assert PDDPM.Config().t_test == 500
    assert PDDPM(PDDPM.Config(**PDDPM.presets["quick"])).patch_size == 24


@pytest.mark.parametrize(("grid", "edge"), [(1, 16), (2, 8), (4, 4)])
def test_in_training_the_input_differs_from_the_slice_in_one_patch_of_the_grid_only(grid: int, edge: int) -> None:
    pddpm, recorder = recorded(replace(TINY, grid=grid, noise="gaussian"), lambda x: x)
    slices = torch.rand(200, 1, 16, 16)
    pddpm.loss(slices)
    changed = recorder.seen[0] != 2 * slices - 1
    tiles = {(x, y, x + edge - 1, y + edge - 1) for x in range(0, 16, edge) for y in range(0, 16, edge)}
    assert set(boxes(changed)) == tiles
    assert changed.flatten(1).sum(dim=1).unique().tolist() == [edge**2]


def test_patches_may_be_drawn_anywhere_in_the_slice() -> None:
    pddpm, recorder = recorded(replace(TINY, positions="anywhere", noise="gaussian"), lambda x: x)
    slices = torch.rand(400, 1, 16, 16)
    pddpm.loss(slices)
    changed = recorder.seen[0] != 2 * slices - 1
    assert changed.flatten(1).sum(dim=1).unique().tolist() == [64]
    assert {box[0] for box in boxes(changed)} == {box[1] for box in boxes(changed)} == set(range(9))


def test_the_loss_is_the_mean_error_within_the_patch() -> None:
    pddpm, recorder = recorded(replace(TINY, noise="gaussian"), lambda x: x + 3)
    slices = torch.rand(5, 1, 16, 16)
    loss = pddpm.loss(slices)
    clean = 2 * slices - 1
    inside = recorder.seen[0] != clean
    torch.testing.assert_close(loss, (recorder.seen[0] + 3 - clean)[inside].abs().mean())


def test_no_gradient_comes_from_outside_the_patch() -> None:
    pddpm, recorder = recorded(replace(TINY, noise="gaussian"), lambda x: x + offset)
    slices = torch.rand(6, 1, 16, 16)
    offset = torch.zeros_like(slices).requires_grad_()
    pddpm.loss(slices).backward()
    assert offset.grad is not None
    assert torch.equal(offset.grad != 0, recorder.seen[0] != 2 * slices - 1)


def test_in_the_test_every_patch_is_noised_once_with_the_rest_clean() -> None:
    pddpm, recorder = recorded(replace(TINY, noise="gaussian"), lambda x: x)
    slices = torch.rand(3, 1, 16, 16)
    reconstructed(pddpm, slices, torch.arange(3))
    found = [boxes(seen != 2 * slices - 1) for seen in recorder.seen]
    assert found == [[(x, y, x + 7, y + 7)] * 3 for x in (0, 8) for y in (0, 8)]


@pytest.mark.parametrize("grid", [1, 2, 4])
def test_stitching_puts_every_patch_in_its_place(grid: int) -> None:
    pddpm, _ = recorded(replace(TINY, grid=grid, noise="gaussian", t_test=300), lambda x: x)
    slices, seeds = torch.rand(2, 1, 16, 16), torch.tensor([7, 8])
    noise = gaussian_noise(seeds, (16, 16), stream=300)
    noised = add_noise(2 * slices - 1, noise, pddpm.alpha_bar[[299, 299]])
    torch.testing.assert_close(reconstructed(pddpm, slices, seeds), (noised + 1) / 2)


def test_one_patch_as_large_as_the_slice_is_a_plain_ddpm() -> None:
    pddpm, slices, seeds = detector(replace(TINY, grid=1)), torch.rand(3, 1, 16, 16), torch.arange(3)
    plain = DDPM(DDPM.Config(size=16, width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4)).eval()
    plain.load_state_dict(pddpm.state_dict())
    assert torch.equal(reconstructed(pddpm, slices, seeds), reconstructed(plain, slices, seeds))
    losses = []
    for ddpm in (pddpm, plain):
        torch.manual_seed(2)
        losses.append(ddpm.loss(slices).item())
    assert losses[0] == losses[1]
    assert not torch.allclose(reconstructed(detector(), slices, seeds), reconstructed(plain, slices, seeds))


def test_reconstructions_depend_on_slice_and_seed_never_on_neighbours() -> None:
    pddpm, slices, seeds = detector(), torch.rand(4, 1, 16, 16), torch.arange(4)
    whole = reconstructed(pddpm, slices, seeds)
    for i in range(4):
        others_slices, others_seeds = torch.rand(4, 1, 16, 16), torch.randint(2**62, (4,))
        others_slices[i], others_seeds[i] = slices[i], seeds[i]
        assert torch.equal(reconstructed(pddpm, others_slices, others_seeds)[i], whole[i])
    assert not torch.allclose(reconstructed(pddpm, slices, seeds + 1), whole)


def test_the_ensemble_is_the_mean_of_its_noise_levels() -> None:
    slices, seeds = torch.rand(2, 1, 16, 16), torch.tensor([1, 2])
    ensemble = detector(replace(TINY, ensemble=True, ensemble_steps=(100, 900)))
    single = [reconstructed(detector(replace(TINY, t_test=t)), slices, seeds) for t in (100, 900)]
    torch.testing.assert_close(reconstructed(ensemble, slices, seeds), sum(single) / 2, atol=1e-6, rtol=1e-6)


def test_slices_share_one_noise_field_where_asked() -> None:
    for field, shared in (("shared", True), ("slice", False)):
        pddpm, recorder = recorded(replace(TINY, noise_field=field), lambda x: x)
        slices = torch.full((2, 1, 16, 16), 0.5)
        reconstructed(pddpm, slices, pddpm.slice_seeds(torch.tensor([3]), 2)[0])
        assert torch.equal(recorder.seen[0][0], recorder.seen[0][1]) == shared


def test_four_patches_take_no_more_memory_than_one() -> None:
    held = []
    for grid in (1, 2):
        pddpm, slices, seeds = detector(replace(TINY, size=32, grid=grid)), torch.rand(8, 1, 32, 32), torch.arange(8)
        reconstructed(pddpm, slices, seeds)  # the noise's lattice is kept
        held.append(live_peak(lambda: reconstructed(pddpm, slices, seeds), torch.device("cpu")))  # noqa: B023
    assert held[1] < 1.2 * held[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 15}, "size 15, expected a multiple of 2"),
        ({"grid": 3}, "grid 3, expected a divisor of size 16"),
        ({"grid": 0}, "grid 0, expected a divisor of size 16"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_pddpm_fulfils_the_contract() -> None:
    check_detector(lambda: PDDPM(TINY))


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, batch_size=8, learning_rate=3e-3)
    cases = [simulated_case(index, (16, 16, 5)) for index in range(8)]
    PDDPM(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(next(tmp_path.rglob("metrics.csv")))["val_loss"].dropna()
    assert losses.min() < 0.8 * losses.iloc[0]


@pytest.mark.parametrize("ensemble", [False, True])
@torch.no_grad()
def test_all_passes_stacked_give_what_one_after_the_other_gives(
    ensemble: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pddpm = detector(replace(TINY, ensemble=ensemble))
    seen: list[int] = []
    pddpm.unet.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    slices, seeds = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(1)), torch.arange(5)
    apart = pddpm.reconstruct(slices, seeds=seeds)
    bound = pddpm.values_per_pixel
    monkeypatch.setattr(PDDPM, "stacks_passes", True)
    torch.testing.assert_close(pddpm.reconstruct(slices, seeds=seeds), apart, rtol=0, atol=1e-5)
    assert seen == [5] * pddpm.passes + [5 * pddpm.passes]
    assert pddpm.values_per_pixel >= (pddpm.passes - 1) * bound
