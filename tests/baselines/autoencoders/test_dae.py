"""DAE: its noise, its loss over the foreground, its network, the contract, and a loss that falls."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from scipy.ndimage import zoom
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.autoencoders.dae import DAE, DenoisingUNet, StandardisedConv, Swish, coarse_noise
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case

TINY = DAE.Config(size=16, width=4, depth=3, noise_grid=4, steps=3, batch_size=4, augment=False)


class Echo(nn.Module):
    """A network that hands back what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def brains(count: int, size: int = 16) -> Tensor:
    """Discs of random texture on a background of 0, `(count, 1, size, size)`."""
    axis = torch.linspace(-1, 1, size)
    inside = axis[:, None] ** 2 + axis**2 < 0.6
    return (0.2 + 0.6 * torch.rand(count, 1, size, size)) * inside


def test_defaults_are_the_published_network() -> None:
    with torch.device("meta"):
        dae = DAE(DAE.Config())
    convolutions = [layer for layer in dae.modules() if isinstance(layer, StandardisedConv)]
    assert [layer.out_channels for layer in convolutions[::2]] == [64, 128, 256, 512, 256, 128, 64]
    groups = [layer.num_groups for layer in dae.modules() if isinstance(layer, nn.GroupNorm)]
    assert groups[:8:2] == [8, 16, 16, 32]
    adam = dae.optimizer().defaults
    assert (adam["lr"], adam["amsgrad"], adam["weight_decay"]) == (1e-4, True, 1e-5)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_network_keeps_shapes_and_uses_every_weight(depth: int) -> None:
    network, slices = DenoisingUNet(width=4, depth=depth), brains(2)
    restored = network(slices)
    assert restored.shape == slices.shape
    restored.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_a_convolution_sees_standardised_weights_and_a_mirrored_border() -> None:
    torch.manual_seed(0)
    layer, x = StandardisedConv(3, 5), torch.randn(2, 3, 6, 7)
    weight = torch.stack([(one - one.mean()) / one.std() for one in layer.weight])
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, layer.bias)
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=1e-4)


def test_swish_is_exact_and_makes_no_subnormal_numbers() -> None:
    x = torch.linspace(-300, 300, 2001, requires_grad=True)
    swish = Swish()(x)
    torch.testing.assert_close(swish, F.silu(x), atol=3e-12, rtol=0)
    (1e-10 * swish).sum().backward()
    assert x.grad is not None
    sizes = torch.cat([swish.detach(), x.grad]).abs()
    assert not ((sizes > 0) & (sizes < torch.finfo(torch.float32).tiny)).any()


def test_noise_lies_bilinearly_between_the_points_where_it_is_drawn() -> None:
    torch.manual_seed(3)
    points = 0.2 * torch.randn(2, 1, 4, 4)
    expected = zoom(points, (1, 1, 7, 6), order=1)
    torch.manual_seed(3)
    field = coarse_noise(torch.empty(2, 1, 28, 24), grid=4, std=0.2)
    rolled = [torch.from_numpy(expected).roll((i, j), (2, 3)) for i in range(28) for j in range(24)]
    assert any(torch.allclose(field, candidate, atol=1e-6) for candidate in rolled)


def test_noise_has_its_standard_deviation_at_the_points_and_is_rolled_anew_each_time() -> None:
    torch.manual_seed(0)
    fine = coarse_noise(torch.empty(64, 1, 16, 16), grid=16, std=0.2)
    assert float(fine.std()) == pytest.approx(0.2, rel=0.02)
    assert float(fine.mean()) == pytest.approx(0, abs=0.01)
    seams = {
        int(field.diff(dim=2).abs().mean(dim=(0, 1, 3)).argmax())
        for field in (coarse_noise(torch.empty(64, 1, 64, 64), grid=3, std=1.0) for _ in range(12))
    }
    assert len(seams) > 6


def test_equal_seeds_give_equal_noise() -> None:
    fields = []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        fields.append(coarse_noise(torch.empty(2, 1, 16, 16), grid=4, std=0.2))
    assert torch.equal(fields[0], fields[1])
    assert not torch.equal(fields[0], fields[2])


def test_only_the_foreground_is_noised_and_only_there_errors_count() -> None:
    dae, slices = DAE(TINY), brains(4)
    seen: list[Tensor] = []

    def network(noised: Tensor) -> Tensor:
        seen.append(noised)
        return torch.where(slices > 0, noised, 7.0)

    dae.forward = network  # type: ignore[method-assign,assignment]
    loss = dae.loss(slices)
    noise = seen[0] - slices
    assert not noise[slices == 0].any()
    assert noise[slices > 0].any()
    torch.testing.assert_close(loss, noise.square().mean())


def test_the_test_slice_is_given_to_the_network_without_noise() -> None:
    dae, slices = DAE(TINY), brains(3)
    dae.unet = Echo()  # type: ignore[assignment]
    assert torch.equal(dae.reconstruct(slices, seeds=torch.arange(3)), slices)
    assert dae.loss(slices) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 18}, "size 18, expected a multiple of 4, 8 or more"),
        ({"size": 4}, "size 4, expected a multiple of 4, 8 or more"),
        ({"width": 0}, "width 0, expected 1 or more"),
        ({"depth": 0}, "depth 0, expected 1 or more"),
        ({"noise_grid": 1}, "noise_grid 1, expected 2 or more"),
        ({"noise_std": -0.1}, "noise_std -0.1, expected 0.0 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize(("preset", "batch"), [("quick", 1), ("quick", 8), ("paper", 1), ("paper", 4)])
def test_memory_stated_holds_what_a_batch_takes_and_not_twice_as_much(preset: str, batch: int) -> None:
    dae = DAE(DAE.Config(**DAE.presets.get(preset, {}))).eval()
    dae.slice_batch = batch
    size = dae.config.size
    slices, seeds = torch.rand(batch, 1, size, size), torch.arange(batch)
    with torch.inference_mode():
        held = live_peak(lambda: dae.reconstruct(slices, seeds=seeds), torch.device("cpu"))
    assert held < dae.memory_bound((size, size, 1), 0) < 2 * held


def test_dae_fulfils_the_contract() -> None:
    check_detector(lambda: DAE(TINY))


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, batch_size=8, learning_rate=3e-3)
    cases = [simulated_case(index, (16, 16, 5)) for index in range(8)]
    DAE(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(next(tmp_path.rglob("metrics.csv")))["val_loss"].dropna()
    assert losses.min() < 0.6 * losses.iloc[0]


def test_noise_and_error_stay_above_the_foregrounds_threshold() -> None:
    detector = DAE(DAE.Config(size=16, depth=2, width=4, foreground=0.5))
    dim = torch.full((2, 1, 16, 16), 0.4)
    assert detector.loss(dim) == 0
    assert detector.loss(dim + 0.2) > 0
