"""Which slices hold brain is known before a device has computed anything."""

import gc

import pytest
import torch

from benchmark.methods.brain_slices import _seen, holds_brain, keep_on_host
from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.hyperparameters import build_detector, parse_variant, resolve_config

FEW_STEPS = "autoddpm[mask_steps=2,fuse_steps=1,resamplings=1]"
BY_SLICE = ("ae", "vae", "svae", "dae", "disyre", "fanogan", "ddpm", "pddpm", "cddpm", FEW_STEPS)


def masks(cases: int = 2) -> torch.Tensor:
    """`(N, 1, 48, 48, 9)`."""
    held = [torch.from_numpy(simulated_case(index, (48, 48, 9)).brain_mask) for index in range(cases)]
    return torch.stack(held)[:, None]


def test_each_slice_with_a_voxel_of_brain_holds_brain() -> None:
    brain_masks = torch.zeros(2, 1, 4, 4, 3, dtype=torch.bool)
    brain_masks[0, 0, 1, 2, 1] = brain_masks[1, 0, 3, 0, 2] = True
    assert holds_brain(brain_masks).tolist() == [[False, True, False], [False, False, True]]


def test_what_the_host_has_seen_is_taken_for_those_masks_alone_and_forgotten_with_them() -> None:
    on_host = masks()
    on_device, others = on_host.clone(), torch.zeros_like(on_host)
    keep_on_host(on_device, on_host)
    assert torch.equal(holds_brain(on_device), holds_brain(on_host))
    assert not holds_brain(others).any()
    before = len(_seen)
    del on_device
    gc.collect()
    assert len(_seen) == before - 1


@pytest.mark.parametrize("name", BY_SLICE)
def test_no_map_of_slices_reads_from_its_device(name: str) -> None:
    """Tensors on `meta` have no values: what reads one, and would wait for a GPU, fails."""
    variant = parse_variant(name)
    config = resolve_config(variant, "quick", {})
    detector = build_detector(variant.name, variant.method.target, config).to("meta").eval()
    detector.slice_batch = 4
    on_host = masks()
    brain_masks = on_host.to("meta")
    keep_on_host(brain_masks, on_host)
    images = torch.empty(on_host.shape, device="meta")
    with torch.inference_mode():
        made, _ = detector.map_and_reconstruction(
            images, brain_masks, seeds=torch.zeros(2, dtype=torch.int64, device="meta")
        )
    assert made.shape == images.shape
