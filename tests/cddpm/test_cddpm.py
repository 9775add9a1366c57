"""CDDPM: what conditioning adds to DDPM."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from learning import falls, losses_of
from safetensors.torch import save
from torch import Tensor, nn

from baselines.diffusion.ddpm import DDPM
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case
from cddpm.detector import CDDPM
from datasets.errors import BadValue

TINY = CDDPM.Config(
    size=16,
    width=8,
    multipliers=(1, 2),
    residual_blocks=1,
    heads=2,
    groups=4,
    code=6,
    encoder_width=4,
    encoder_blocks=(1, 1),
)


def detector(config: CDDPM.Config = TINY) -> CDDPM:
    """One whose U-Net holds random instead of zero weights, as if trained."""
    torch.manual_seed(0)
    cddpm = CDDPM(config)
    for parameter in cddpm.unet.parameters():
        nn.init.normal_(parameter, std=0.2)
    return cddpm.eval()


def squares(count: int) -> Tensor:
    """Bright squares of several brightnesses, `(count, 1, 16, 16)` in [0, 1]."""
    slices = torch.zeros(count, 1, 16, 16)
    for i in range(count):
        slices[i, :, 4:12, 4:12] = (i + 1) / count
    return slices


@torch.no_grad()
def reconstructed(cddpm: CDDPM, slices: Tensor, seeds: Tensor) -> Tensor:
    return cddpm.reconstruct(slices, seeds=seeds)


def test_defaults_are_the_published_network_and_ensemble() -> None:
    with torch.device("meta"):
        cddpm = CDDPM(CDDPM.Config())
    assert sum(weight.numel() for weight in cddpm.parameters()) == 68_619_329
    assert cddpm.config.ensemble
    assert not DDPM.Config().ensemble


def test_the_quick_preset_is_the_same_code_with_narrow_networks() -> None:
    cddpm = CDDPM(CDDPM.Config(**CDDPM.presets["quick"]))
    assert sum(weight.numel() for weight in cddpm.parameters()) < 5e6


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(1)
    cddpm, slices = CDDPM(TINY), squares(4)
    losses = losses_of(cddpm, slices, steps=40)
    assert falls(losses)


def test_encoder_and_network_learn_together() -> None:
    cddpm = detector()
    cddpm.train().loss(squares(4)).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in cddpm.parameters())
    assert cddpm.encoder.head.weight.grad.any()


def test_another_conditioning_slice_gives_another_reconstruction() -> None:
    cddpm, slices, seeds = detector(), squares(2), torch.tensor([1, 2])
    usual = reconstructed(cddpm, slices, seeds)
    own_code = cddpm.code
    cddpm.code = lambda slices: own_code(slices.flip(0))  # type: ignore[method-assign]
    assert not torch.allclose(reconstructed(cddpm, slices, seeds), usual, atol=1e-4)


def test_the_code_is_that_of_the_clean_slice_and_computed_once_for_all_noise_levels() -> None:
    cddpm, slices = detector(), squares(2)
    seen: list[Tensor] = []
    cddpm.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    reconstructed(cddpm, slices, torch.tensor([1, 2]))
    assert len(seen) == 1
    assert torch.equal(seen[0], slices)


def test_reconstructions_depend_on_slice_and_seed_never_on_neighbours() -> None:
    cddpm, slices, seeds = detector(), squares(3), torch.arange(3)
    whole = reconstructed(cddpm, slices, seeds)
    for i in range(3):
        others_slices, others_seeds = torch.rand(3, 1, 16, 16), torch.randint(2**62, (3,))
        others_slices[i], others_seeds[i] = slices[i], seeds[i]
        assert torch.equal(reconstructed(cddpm, others_slices, others_seeds)[i], whole[i])
    assert not torch.allclose(reconstructed(cddpm, slices, seeds + 1), whole)


def test_the_ensemble_is_the_mean_of_its_noise_levels() -> None:
    slices, seeds = squares(2), torch.tensor([1, 2])
    singles = [detector(replace(TINY, ensemble=False, t_test=t)) for t in TINY.ensemble_steps]
    mean = sum(reconstructed(cddpm, slices, seeds) for cddpm in singles) / len(singles)
    torch.testing.assert_close(reconstructed(detector(), slices, seeds), mean, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("config", [CDDPM.Config(**CDDPM.presets["quick"]), TINY, replace(TINY, encoder_width=64)])
def test_memory_stated_holds_what_a_batch_takes(config: CDDPM.Config) -> None:
    cddpm = CDDPM(config).eval()
    cddpm.slice_batch = 8
    slices, seeds = torch.rand(8, 1, config.size, config.size), torch.arange(8)
    reconstructed(cddpm, slices, seeds)  # the noise's lattice is kept
    held = live_peak(lambda: reconstructed(cddpm, slices, seeds), torch.device("cpu"))
    assert held < cddpm.memory_bound((config.size, config.size, 1), 0) < 3 * held


@pytest.mark.parametrize("pretrain", [False, True])
def test_cddpm_fulfils_the_contract(pretrain: bool) -> None:
    budget = {"steps": 2, "batch_size": 4, "augment": False, "pretrain_steps": 2, "pretrain_width": 16}
    check_detector(lambda: CDDPM(replace(TINY, **budget, pretrain=pretrain)))  # type: ignore[arg-type]


def test_a_fit_takes_published_weights_instead_of_training(tmp_path: Path) -> None:
    published, case = detector(), simulated_case(0, (16, 16, 4))
    content = save(dict(published.state_dict()))
    path = tmp_path / f"cddpm-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    path.write_bytes(content)
    cddpm = CDDPM(replace(TINY, weights=str(path)))
    cddpm.fit([case], [case], seed=3, workdir=tmp_path)
    assert torch.equal(
        reconstructed(cddpm, squares(2), torch.arange(2)), reconstructed(published, squares(2), torch.arange(2))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": 0}, r"code 0, expected 1 or more\."),
        ({"encoder_width": 0}, r"encoder_width 0, expected 1 or more\."),
        ({"encoder_blocks": ()}, r"encoder_blocks \[\], expected one number or more, each 1 or more\."),
        (
            {"encoder_blocks": (3, 0, 6, 3)},
            r"encoder_blocks \[3, 0, 6, 3\], expected one number or more, each 1 or more\.",
        ),
        ({"drop_path": 1.0}, r"drop_path 1, expected a chance of 0 or more and below 1\."),
        ({"drop_path": -0.1}, r"drop_path -0\.1, expected a chance of 0 or more and below 1\."),
        ({"drop_path": float("nan")}, r"drop_path nan, expected a chance of 0 or more and below 1\."),
        ({"pretrain_width": 0}, r"pretrain_width 0, expected 1 or more\."),
    ],
)
def test_an_encoder_that_cannot_be_built_or_trained_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=f"^Got {message}$"):
        replace(TINY, **change)


@pytest.mark.parametrize("blocks", [(1,), (1, 1), (1, 2, 1, 1)])
def test_an_encoder_may_have_any_number_of_stages(blocks: tuple[int, ...]) -> None:
    cddpm = detector(replace(TINY, encoder_blocks=blocks, drop_path=0.0))
    assert cddpm.code(squares(2)).shape == (2, 6)


@torch.no_grad()
def test_guided_by_itself_a_slice_is_reconstructed_as_ever() -> None:
    cddpm = detector(replace(TINY, ensemble=False, t_test=300))
    slices, seeds = squares(3), torch.arange(3)
    torch.testing.assert_close(
        cddpm.reconstruct_guided(slices, slices, level=300, seeds=seeds), cddpm.reconstruct(slices, seeds=seeds)
    )


@torch.no_grad()
def test_the_guide_decides_too_and_at_full_noise_alone() -> None:
    cddpm, seeds = detector(), torch.zeros(2, dtype=torch.int64)
    slices = squares(2)
    by_guide = [cddpm.reconstruct_guided(slices, guide.expand_as(slices), level=1000, seeds=seeds) for guide in slices]
    assert not torch.allclose(by_guide[0], by_guide[1])
    for made in by_guide:  # the noise hides which slice it was
        torch.testing.assert_close(made[0], made[1], atol=1e-2, rtol=1e-2)
