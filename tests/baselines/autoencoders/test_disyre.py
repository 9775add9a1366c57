"""DISYRE: its corruption, its way down the levels, its score, the contract, and a loss that falls."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from baselines.autoencoders.disyre import DISYRE, corrupted, corruption_levels, foreign, random_ellipses
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case

TINY = DISYRE.Config(size=16, width=4, depth=3, steps=3, batch_size=4, augment=False, levels=3)


def discs(count: int, size: int = 16) -> Tensor:
    """Discs of random texture on a background of 0, `(count, 1, size, size)`."""
    axis = torch.linspace(-1, 1, size)
    return (0.2 + 0.6 * torch.rand(count, 1, size, size)) * (axis[:, None] ** 2 + axis**2 < 0.6)


def test_levels_descend_from_nearly_one_along_the_published_schedule() -> None:
    levels = corruption_levels(100)
    assert len(levels) == 100
    assert all(above > below > 0 for above, below in pairwise(levels))
    assert levels[0] == pytest.approx((1 - 1e-3) ** 0.5)
    product = 1.0
    for step in range(51):
        product *= 1 - (1e-3 + (0.2 - 1e-3) * step / 99)
    assert levels[50] == pytest.approx(product**0.5)
    assert corruption_levels(1) == levels[:1]
    assert corruption_levels(4) == levels[::25]


def test_a_patch_is_blended_in_inside_its_shape_alone() -> None:
    slices, patches = torch.rand(2, 3, 1, 8, 8)
    shapes = torch.rand(3, 1, 8, 8) < 0.5
    alpha = torch.tensor([0.0, 0.3, 1.0])
    made = corrupted(slices, patches, shapes, alpha)
    weight = alpha[:, None, None, None] * shapes
    torch.testing.assert_close(made, (1 - weight) * slices + weight * patches)
    assert torch.equal(made[~shapes], slices[~shapes])


def test_ellipses_lie_in_the_foreground_and_within_their_longest_axis() -> None:
    torch.manual_seed(0)
    foreground = torch.zeros(200, 1, 32, 32, dtype=torch.bool)
    foreground[..., 4:28, 4:28] = True
    shapes = random_ellipses(foreground, largest=0.25)
    assert not (shapes & ~foreground).any()
    assert shapes.flatten(1).any(dim=1).all()
    for axis in (2, 3):
        extent = shapes.any(dim=5 - axis).sum(dim=2)
        assert int(extent.max()) <= 17  # twice a half axis of 8, and its centre
    assert shapes.flatten(1).sum(dim=1).unique().numel() > 30
    assert not random_ellipses(torch.zeros(2, 1, 8, 8, dtype=torch.bool), largest=0.5).any()


def test_a_patch_comes_from_another_slice() -> None:
    torch.manual_seed(0)
    slices = torch.arange(1.0, 5)[:, None, None, None].expand(4, 1, 8, 8)
    assert torch.equal(foreign(slices)[:, 0, 0, 0], torch.tensor([4.0, 1, 2, 3]))


def test_slices_left_alone_are_given_to_the_network_as_they_are_at_level_zero() -> None:
    disyre, slices = DISYRE(replace(TINY, corrupted=0.5)), discs(64)
    seen: list[tuple[Tensor, Tensor]] = []

    def network(x: Tensor, alpha: Tensor) -> Tensor:
        seen.append((x, alpha))
        return slices

    disyre.forward = network  # type: ignore[method-assign,assignment]
    assert disyre.loss(slices) == 0
    x, alpha = seen[0]
    changed = (x != slices).flatten(1).any(dim=1)
    assert not changed[alpha == 0].any()
    assert changed[alpha > 0].float().mean() > 0.8
    assert 0.25 < (alpha > 0).float().mean() < 0.75


@pytest.mark.parametrize("levels", [1, 3, 10])
def test_a_network_that_knows_the_healthy_slice_leads_to_it_through_every_level(levels: int) -> None:
    healthy, patches = discs(2), torch.rand(2, 1, 16, 16)
    shapes = random_ellipses(healthy > 0, largest=0.5)
    first = corruption_levels(levels)[0]
    test = corrupted(healthy, patches, shapes, torch.full((2,), first))
    disyre, seen = DISYRE(replace(TINY, levels=levels)), list[Tensor]()

    def network(x: Tensor, alpha: Tensor) -> Tensor:
        seen.append(x)
        torch.testing.assert_close(x, corrupted(healthy, patches, shapes, alpha), atol=1e-5, rtol=0)
        return healthy

    disyre.forward = network  # type: ignore[method-assign,assignment]
    scores, restored = disyre.restore(test, seeds=torch.arange(2))
    torch.testing.assert_close(restored, healthy)
    assert len(seen) == levels
    expected = torch.stack([(x - healthy).abs() for x in seen]).mean(dim=0)
    torch.testing.assert_close(scores, expected)
    assert not scores[~shapes].any()


def test_one_level_is_the_residual_of_one_prediction() -> None:
    torch.manual_seed(1)
    disyre, slices = DISYRE(replace(TINY, levels=1)).eval(), discs(3)
    with torch.no_grad():
        scores, restored = disyre.restore(slices, seeds=torch.arange(3))
        predicted = disyre(slices, torch.full((3,), corruption_levels(1)[0]))
    torch.testing.assert_close(scores, (slices - predicted).abs())
    torch.testing.assert_close(restored, predicted.clamp(0, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 18}, "size 18, expected a multiple of 4, 8 or more"),
        ({"width": 0}, "width 0, expected 1 or more"),
        ({"corrupted": 0.0}, "corrupted 0, expected a share of more than 0 and at most 1"),
        ({"largest": 1.5}, r"largest 1\.5, expected a share"),
        ({"levels": 0}, r"levels 0, expected 1\.\.100"),
        ({"levels": 101}, r"levels 101, expected 1\.\.100"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize(("preset", "batch"), [("quick", 1), ("quick", 8), ("paper", 1)])
def test_memory_stated_holds_what_a_batch_takes_and_not_twice_as_much(preset: str, batch: int) -> None:
    disyre = DISYRE(DISYRE.Config(**{**DISYRE.presets.get(preset, {}), "levels": 2})).eval()
    disyre.slice_batch = batch
    size = disyre.config.size
    slices, seeds = torch.rand(batch, 1, size, size), torch.arange(batch)
    with torch.inference_mode():
        held = live_peak(lambda: disyre.restore(slices, seeds=seeds), torch.device("cpu"))
    assert held < disyre.memory_bound((size, size, 1), 0) < 2 * held


@pytest.mark.parametrize("levels", [1, 3])
def test_disyre_fulfils_the_contract(levels: int) -> None:
    check_detector(lambda: DISYRE(replace(TINY, levels=levels)))


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, batch_size=8, learning_rate=3e-3)
    cases = [simulated_case(index, (16, 16, 5)) for index in range(8)]
    DISYRE(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(next(tmp_path.rglob("metrics.csv")))["val_loss"].dropna()
    assert losses.min() < 0.6 * losses.iloc[0]
