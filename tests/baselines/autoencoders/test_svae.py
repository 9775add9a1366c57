"""SVAE: a slice's code knows its neighbours, its case's map knows no other case, and windows cover the brain."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learning import falls, losses_of
from torch import Tensor

from baselines.autoencoders.ae import AE
from baselines.autoencoders.svae import SVAE, windows_of
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case

Context = Literal["attention", "recurrence"]
CONTEXTS: tuple[Context, ...] = ("attention", "recurrence")
TINY = SVAE.Config(size=16, steps=3, batch_size=6, augment=False, sequence=3)


def detector(config: SVAE.Config = TINY) -> SVAE:
    torch.manual_seed(0)
    return SVAE(config).eval()


def volumes(cases: int = 3, depth: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Images, brain masks and seeds; the first slice of case 0 and the last two of case 1 hold no brain."""
    images = torch.rand(cases, 1, 16, 16, depth, generator=torch.Generator().manual_seed(0))
    brain_masks = torch.zeros_like(images, dtype=torch.bool)
    brain_masks[:, :, 4:-4, 4:-4] = True
    brain_masks[0, ..., 0] = False
    brain_masks[1:2, ..., -2:] = False
    return images, brain_masks, torch.arange(cases) + 40


def two_sequences() -> tuple[Tensor, Tensor]:
    """`(1, 3, 16, 16)` slices that differ in the last one only."""
    first = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    second = first.clone()
    second[:, 2] = 1 - second[:, 2]
    return first, second


@pytest.mark.parametrize("context", CONTEXTS)
@torch.no_grad()
def test_a_slices_code_depends_on_its_neighbours(context: Context) -> None:
    svae = detector(replace(TINY, context=context))
    first, second = (svae.posterior(slices).mean for slices in two_sequences())  # (3, LATENT)
    assert ((first - second).abs().amax(dim=1) > 1e-4).all()


@torch.no_grad()
def test_the_code_of_an_ae_does_not() -> None:
    torch.manual_seed(0)
    ae = AE(AE.Config(size=16)).eval()
    first, second = (ae.to_code(ae.encoder(slices[0][:, None])) for slices in two_sequences())
    assert torch.equal(first[:2], second[:2])
    assert not torch.equal(first[2], second[2])


@pytest.mark.parametrize("context", CONTEXTS)
@torch.no_grad()
def test_a_slices_code_depends_on_the_order_of_its_neighbours(context: Context) -> None:
    svae, (slices, _) = detector(replace(TINY, context=context)), two_sequences()
    turned = svae.posterior(slices.flip(1)).mean.flip(0)
    assert (svae.posterior(slices).mean - turned).abs().max() > 1e-4


@pytest.mark.parametrize("context", CONTEXTS)
@torch.no_grad()
def test_sequences_of_a_batch_know_nothing_of_each_other(context: Context) -> None:
    svae, slices = detector(replace(TINY, context=context)), torch.rand(4, 3, 16, 16)
    other = torch.rand(4, 3, 16, 16)
    other[2] = slices[2]
    seeds = torch.arange(4)
    assert torch.equal(svae.reconstruct(slices, seeds=seeds)[2], svae.reconstruct(other, seeds=seeds)[2])


@pytest.mark.parametrize("context", CONTEXTS)
def test_training_lowers_the_loss(context: Context) -> None:
    torch.manual_seed(1)
    svae = SVAE(replace(TINY, context=context))
    case = torch.from_numpy(simulated_case(0, (16, 16, 8)).image)[0].movedim(-1, 0)  # (8, 16, 16)
    slices = torch.stack([case[start : start + 3] for start in range(1, 5)])
    losses = losses_of(svae, slices, steps=60)
    assert falls(losses)


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, batch_size=12, learning_rate=3e-3)
    cases = [simulated_case(index, (16, 16, 7)) for index in range(8)]
    SVAE(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(tmp_path / "log" / "metrics.csv")["val_loss"].dropna()
    assert losses.min() < 0.7 * losses.iloc[0]


class Echo(SVAE):
    """Hands its windows back and remembers their number."""

    batches: tuple[int, ...] = ()

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        assert len(slices) == len(seeds)
        self.batches += (len(slices),)
        return slices


def test_windows_cover_every_slice_with_brain_and_come_back_to_their_place() -> None:
    images, brain_masks, seeds = volumes()
    result = Echo(TINY).reconstruct_volumes(images, brain_masks, seeds)
    holds_brain = brain_masks.flatten(1, 3).any(dim=1)[:, None, None, None]
    assert torch.equal(result, torch.where(holds_brain, images, 0.0))


@pytest.mark.parametrize(("slice_batch", "windows"), [(2, 1), (12, 4), (32, 10)])
def test_batches_have_a_fixed_number_of_windows(slice_batch: int, windows: int) -> None:
    echo = Echo(TINY)
    echo.slice_batch = slice_batch
    for cases in (1, 3):
        echo.batches = ()
        echo.anomaly_map(*volumes(cases)[:2], seeds=volumes(cases)[2])
        assert set(echo.batches) == {windows}


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("slice_batch", [3, 12, 32])
def test_a_map_alone_is_the_map_in_any_batch_and_order(context: Context, slice_batch: int) -> None:
    svae = detector(replace(TINY, context=context))
    svae.slice_batch = slice_batch
    images, brain_masks, seeds = volumes()
    together = svae.anomaly_map(images, brain_masks, seeds=seeds)
    for order in ([0], [1], [2], [2, 0, 1]):
        assert torch.equal(svae.anomaly_map(images[order], brain_masks[order], seeds=seeds[order]), together[order])


def test_a_brainless_batch_has_an_empty_map() -> None:
    images, brain_masks, seeds = volumes()
    assert (detector().anomaly_map(images, torch.zeros_like(brain_masks), seeds=seeds) == 0).all()


@pytest.mark.parametrize("context", CONTEXTS)
def test_maps_are_float32_under_autocast(context: Context) -> None:
    images, brain_masks, seeds = volumes()
    with torch.autocast("cpu", torch.bfloat16):
        maps = detector(replace(TINY, context=context)).anomaly_map(images, brain_masks, seeds=seeds)
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()


def test_volumes_shorter_than_a_sequence_are_refused(tmp_path: Path) -> None:
    config = replace(TINY, sequence=4)
    images, brain_masks, seeds = volumes(depth=3)
    with pytest.raises(ValueError, match=r"Got volumes of 3 slices, expected at least the 4 of a sequence"):
        detector(config).anomaly_map(images, brain_masks, seeds=seeds)
    cases = [simulated_case(index, (16, 16, 3)) for index in range(2)]
    with pytest.raises(ValueError, match="4 slices"):
        SVAE(config).fit(cases, cases, seed=0, workdir=tmp_path)


def test_a_sequence_as_long_as_the_volume_is_one_window() -> None:
    echo = Echo(replace(TINY, sequence=7))
    images, brain_masks, seeds = volumes(1)
    assert torch.equal(echo.reconstruction(images, brain_masks, seeds=seeds)[..., 1:], images[..., 1:])
    assert echo.batches == (4,)


@pytest.mark.parametrize(("context", "weights"), [("attention", 2_062_673), ("recurrence", 2_003_665)])
def test_there_are_about_as_many_weights_as_in_the_vae(context: Context, weights: int) -> None:
    with torch.device("meta"):
        svae = SVAE(SVAE.Config(context=context))
    assert sum(weight.numel() for weight in svae.parameters()) == weights


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="Got sequence 0, expected 1 or more slices"):
        replace(TINY, sequence=0)


@pytest.mark.parametrize("context", CONTEXTS)
def test_svae_fulfils_the_contract(context: Context) -> None:
    check_detector(lambda: SVAE(replace(TINY, context=context)))


def slices_with_brain(brain: range, depth: int) -> Tensor:
    holds_brain = torch.zeros(depth, dtype=torch.bool)
    holds_brain[brain.start : brain.stop] = True
    return holds_brain


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 12))
def test_every_slice_with_brain_is_taken_once_from_a_window_that_holds_it(flags: list[bool], length: int) -> None:
    holds_brain = torch.tensor([*flags, *[False] * (length - len(flags))])
    windows = windows_of(holds_brain, length)
    taken = [z for window in windows for z in window.taken]
    assert sorted(taken) == holds_brain.nonzero()[:, 0].tolist()
    for window in windows:
        assert 0 <= window.start <= len(holds_brain) - length
        assert all(window.start <= z < window.start + length for z in window.taken)


def test_windows_overlap_by_half_and_end_with_the_brain() -> None:
    assert [window.start for window in windows_of(slices_with_brain(range(3, 18), 25), 4)] == [3, 5, 7, 9, 11, 13, 14]


def test_windows_of_one_slice_are_the_slices_with_brain() -> None:
    windows = windows_of(slices_with_brain(range(3, 6), 9), 1)
    assert [(window.start, window.taken) for window in windows] == [(3, (3,)), (4, (4,)), (5, (5,))]


def test_inner_slices_have_a_quarter_of_a_window_on_both_sides() -> None:
    for window in windows_of(slices_with_brain(range(2, 42), 50), 8):
        for z in window.taken:
            if 4 <= z < 40:
                assert 2 <= z - window.start <= 5


def test_a_short_brain_has_one_window_that_stays_inside_the_volume() -> None:
    assert [(window.start, window.taken) for window in windows_of(slices_with_brain(range(1, 3), 9), 4)] == [
        (1, (1, 2))
    ]
    assert [(window.start, window.taken) for window in windows_of(slices_with_brain(range(7, 9), 9), 4)] == [
        (5, (7, 8))
    ]


def test_a_volume_without_brain_has_no_window() -> None:
    assert windows_of(slices_with_brain(range(0), 9), 4) == []


def test_what_is_cut_and_pasted_comes_back_to_its_place() -> None:
    images = torch.rand(2, 1, 3, 4, 9)
    copy = torch.zeros_like(images)
    for case in range(2):
        for window in windows_of(torch.ones(9, dtype=torch.bool), 4, case=case):
            window.paste(window.cut(images, 4), copy)
    assert torch.equal(copy, images)
