"""Augmented volumes are as likely and as strong as torchio's, and each is decided by its own seed."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
import torchio
import whole_volumes
from scipy import stats
from torch import Tensor

from baselines.slices import augmentation
from baselines.slices.augmentation import _by_partition, _by_rank, random_parameters
from benchmark.methods.contract.trial import simulated_case

augmented = partial(whole_volumes.augmented, spacing=1.0)
augmented_slices = partial(augmentation.augmented_slices, spacing=1.0)

SHAPE = (24, 20, 12)
DRAWS = 400
UNLIKELY = 0.001
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def brains(count: int) -> tuple[Tensor, Tensor]:
    """Images `(count, 1, X, Y, Z)` and brain masks."""
    cases = [simulated_case(index, SHAPE) for index in range(count)]
    images = torch.from_numpy(np.stack([case.image for case in cases]))
    return images, torch.from_numpy(np.stack([case.brain_mask[None] for case in cases]))


@pytest.fixture
def torchio_draws() -> Iterator[None]:
    """torchio draws from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def as_by_torchio(image: Tensor, brain_mask: Tensor, seed: int, spacing: float) -> Tensor:
    """`(1, X, Y, Z)`: torchio's transforms one after the other, at the strengths that our seed draws."""
    scan = torchio.ScalarImage(tensor=image, affine=np.diag([spacing, spacing, spacing, 1.0]))
    drawn = random_parameters(torch.tensor([seed]))
    blur = torchio.Blur(std=tuple(drawn.std[0].tolist()))
    bias = torchio.BiasField(coefficients=drawn.coefficients[0].tolist(), order=3)
    ghosting = torchio.Ghosting(int(drawn.count), int(drawn.axis), float(drawn.intensity), restore=None)
    chosen = (drawn.blurs, drawn.biases, drawn.corrects, drawn.ghosts)
    for transform, applies in zip((blur, bias, torchio.Gamma(gamma=float(drawn.gamma)), ghosting), chosen, strict=True):
        scan = transform(scan) if applies else scan
    image = scan.data
    high = torch.quantile(image[brain_mask], 0.99).clamp(min=1)
    return torch.where(brain_mask, (image / high).clamp(0, 1), 0.0)


@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_the_whole_chain_is_torchios_at_the_strengths_drawn(spacing: float) -> None:
    images, brain_masks = brains(30)
    seeds = torch.arange(30)
    expected = [as_by_torchio(images[k], brain_masks[k], k, spacing) for k in range(30)]
    made = augmented(images, brain_masks, seeds, spacing=spacing)
    torch.testing.assert_close(made, torch.stack(expected), atol=2e-5, rtol=0)
    drawn = random_parameters(seeds)
    for chosen in (drawn.blurs, drawn.biases, drawn.corrects, drawn.ghosts):
        assert chosen.any()


@pytest.mark.usefixtures("torchio_draws")
def test_each_transform_is_as_likely_as_torchios() -> None:
    transform = torchio.Compose(
        [
            torchio.RandomBlur(p=0.25),
            torchio.RandomBiasField(p=0.25),
            torchio.RandomGamma(p=0.5),
            torchio.RandomGhosting(p=0.5),
        ]
    )
    subject = torchio.Subject(image=torchio.ScalarImage(tensor=torch.rand(1, 3, 3, 3)))
    histories = [{entry.name for entry in transform(subject).history} for _ in range(DRAWS)]
    ours = random_parameters(torch.arange(DRAWS))
    chosen = {"Blur": ours.blurs, "BiasField": ours.biases, "Gamma": ours.corrects, "Ghosting": ours.ghosts}
    for name, mine in chosen.items():
        theirs = sum(name in history for history in histories)
        table = [[theirs, DRAWS - theirs], [int(mine.sum()), DRAWS - int(mine.sum())]]
        assert stats.chi2_contingency(table).pvalue > UNLIKELY, name


@pytest.mark.usefixtures("torchio_draws")
def test_strengths_are_distributed_as_torchios() -> None:
    blur, bias, gamma, ghosting = (
        torchio.RandomBlur(),
        torchio.RandomBiasField(),
        torchio.RandomGamma(),
        torchio.RandomGhosting(),
    )
    draws: dict[str, Callable[[], object]] = {
        "std": lambda: blur.get_params(blur.std_ranges),
        "coefficients": lambda: bias.get_params(bias.order, bias.coefficients_range),
        "gamma": lambda: gamma.get_params(gamma.log_gamma_range),
        "intensity": lambda: ghosting.get_params((4, 10), ghosting.axes, ghosting.intensity_range, None)[2],
    }
    ours = random_parameters(torch.arange(DRAWS))
    for name, draw in draws.items():
        theirs = np.array([draw() for _ in range(DRAWS)]).reshape(DRAWS, -1)
        mine = getattr(ours, name).reshape(DRAWS, -1).numpy()
        assert mine.shape == theirs.shape
        for column in range(theirs.shape[1]):
            assert stats.ks_2samp(mine[:, column], theirs[:, column]).pvalue > UNLIKELY, (name, column)


@pytest.mark.usefixtures("torchio_draws")
def test_ghosts_are_counted_and_directed_as_torchios() -> None:
    ghosting = torchio.RandomGhosting()
    low, high = ghosting.num_ghosts_range
    theirs = [ghosting.get_params((low, high), ghosting.axes, ghosting.intensity_range, None) for _ in range(DRAWS)]
    ours = random_parameters(torch.arange(DRAWS))
    for mine, other in ((ours.count, [draw[0] for draw in theirs]), (ours.axis, [draw[1] for draw in theirs])):
        values = sorted({*mine.tolist(), *other})
        table = [[sample.count(value) for value in values] for sample in (mine.tolist(), other)]
        assert stats.chi2_contingency(table).pvalue > UNLIKELY


def test_strengths_do_not_depend_on_one_another() -> None:
    drawn = random_parameters(torch.arange(4000))
    columns = [drawn.blurs, drawn.biases, drawn.corrects, drawn.ghosts, drawn.gamma, drawn.intensity, drawn.axis]
    table = torch.cat([torch.stack(columns, dim=1).double(), drawn.std, drawn.coefficients], dim=1)
    correlation = torch.corrcoef(table.T) - torch.eye(table.shape[1])
    assert correlation.abs().max() < 0.08  # 5 s.d.


def test_an_augmented_volume_stays_in_range_and_in_the_brain() -> None:
    images, brain_masks = brains(24)
    made = augmented(images, brain_masks, torch.arange(24))
    assert (made.shape, made.dtype) == (images.shape, torch.float32)
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made[~brain_masks] == 0).all()
    changed = [not torch.allclose(one, other, atol=1e-3) for one, other in zip(made, images, strict=True)]
    assert 12 <= sum(changed) < 24  # 79 % on average


@pytest.mark.parametrize("chunk", [1, 4, 16])
def test_a_volume_alone_is_the_volume_in_any_batch_bit_for_bit(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "CPU_CHUNK", chunk)
    images, brain_masks = brains(10)
    seeds = torch.arange(10) + 2**62
    together = augmented(images, brain_masks, seeds)
    for order in (*([k] for k in range(10)), [7, 2, 5], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]):
        assert torch.equal(augmented(images[order], brain_masks[order], seeds[order]), together[order])


def test_chunks_of_many_make_what_chunks_of_one_make(monkeypatch: pytest.MonkeyPatch) -> None:
    images, brain_masks = brains(20)
    alone = augmented(images, brain_masks, torch.arange(20))
    monkeypatch.setattr(augmentation, "CPU_CHUNK", 16)
    monkeypatch.setattr(augmentation, "_bright", _by_rank)
    torch.testing.assert_close(augmented(images, brain_masks, torch.arange(20)), alone, atol=5e-6, rtol=0)


def test_windows_are_cut_from_the_augmented_volumes() -> None:
    images, brain_masks = brains(8)
    seeds, first = torch.arange(8), torch.tensor([0, 1, 2, 3, 4, 5, 8, 9])
    windows = augmented_slices(images, brain_masks, seeds, cases=torch.arange(8), first=first, stack=3)
    whole = augmented(images, brain_masks, seeds)
    assert windows.shape == (8, 3, 24, 20)
    for k, z in enumerate(first.tolist()):
        assert torch.equal(windows[k].movedim(0, -1), whole[k, 0, ..., z : z + 3])


def test_an_image_that_chance_leaves_alone_comes_back_as_it_was() -> None:
    drawn = random_parameters(torch.arange(50))
    spared = ~(drawn.blurs | drawn.biases | drawn.corrects | drawn.ghosts)
    images, brain_masks = brains(1)
    seeds = spared.nonzero()[:2, 0]
    assert len(seeds) == 2
    made = augmented(images.expand(2, -1, -1, -1, -1), brain_masks.expand(2, -1, -1, -1, -1), seeds)
    assert torch.equal(made, images.expand_as(made))


def test_the_callers_generator_autocast_and_inference_mode_change_nothing() -> None:
    images, brain_masks = brains(6)
    seeds = torch.arange(6)
    state = torch.get_rng_state()
    usual = augmented(images, brain_masks, seeds)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augmented(images, brain_masks, seeds), usual)
    assert torch.equal(torch.get_rng_state(), state)


def test_images_may_be_held_in_half_precision() -> None:
    images, brain_masks = brains(6)
    made = augmented(images.half(), brain_masks, torch.arange(6))
    assert torch.equal(made, augmented(images.half().float(), brain_masks, torch.arange(6)))


@pytest.mark.parametrize("voxels", [1, 2, 100, 101, 102, 555, 5760])
def test_the_99th_percentile_is_numpys(voxels: int) -> None:
    image = torch.randn(1, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    brain_mask = torch.zeros_like(image, dtype=torch.bool)
    brain_mask.view(-1)[torch.randperm(5760, generator=torch.Generator().manual_seed(1))[:voxels]] = True
    expected = float(np.quantile(image[brain_mask].double().numpy(), 0.99))
    assert _by_partition(image[0], brain_mask[0]) == pytest.approx(expected, abs=1e-6)
    assert _by_rank(image, brain_mask).tolist() == pytest.approx([expected], abs=1e-6)


@pytest.mark.gpu
@GPU
def test_a_gpu_makes_what_the_cpu_makes_and_the_same_in_any_batch() -> None:
    images, brain_masks = (tensor.cuda() for tensor in brains(40))
    seeds = torch.arange(40)
    together = augmented(images, brain_masks, seeds)
    expected = augmented(images.cpu(), brain_masks.cpu(), seeds)
    torch.testing.assert_close(together.cpu(), expected, atol=2e-5, rtol=0)
    for order in ([3], [17, 39], list(range(39, -1, -1))):
        assert torch.equal(augmented(images[order], brain_masks[order], seeds[order]), together[order])


@pytest.mark.gpu
@GPU
def test_seeds_on_the_cpu_leave_a_gpu_unwaited_for() -> None:
    images, brain_masks = (tensor.cuda() for tensor in brains(20))
    seeds, cases = torch.arange(20), torch.arange(20, device="cuda")
    first = torch.zeros_like(cases)
    augmented_slices(images, brain_masks, seeds, cases=cases, first=first, stack=2)  # fills the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = augmented_slices(images, brain_masks, seeds, cases=cases, first=first, stack=2)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert made.isfinite().all()
