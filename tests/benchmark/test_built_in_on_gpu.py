"""Every built-in method on a GPU: fitted there twice with equal weights, and mapped as on the CPU."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.detector import Detector
from benchmark.methods.exact_float32 import exact_float32
from benchmark.methods.hyperparameters import build_detector, parse_variant, resolve_config
from benchmark.methods.registry import BUILT_IN

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

SHAPE = (48, 48, 9)
TRAINED = (
    "ae",
    "vae",
    "svae",
    "svae[context=recurrence]",
    "dae",
    "disyre",
    "fanogan",
    "ddpm",
    "autoddpm",
    "pddpm",
    "cddpm[pretrain=true]",
    "padim",
    "patchcore",
)
FLOORS = ("thresh", "edge", "prior", "smooth", "zscore", "zscore[standardise=true]", "lowrank")


def test_no_built_in_is_left_out() -> None:
    tried = {parse_variant(name).method.name for name in (*TRAINED, *FLOORS)}
    assert tried == {method.name for method in BUILT_IN}


def fitted(name: str, workdir: Path, precision: str) -> Detector:
    """On the GPU, by a few steps of the preset `quick`."""
    variant = parse_variant(name)
    config = resolve_config(variant, "quick", {})
    config |= {field: 4 for field in ("steps", "pretrain_steps") if field in config}
    config |= {"precision": precision} if "precision" in config else {}
    detector = build_detector(variant.name, variant.method.target, config).to("cuda")
    cases = [simulated_case(index, SHAPE) for index in range(5)]
    workdir.mkdir()
    detector.fit(cases[:3], cases[3:], seed=0, workdir=workdir)
    return detector.eval()


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("name", TRAINED)
def test_two_fits_have_equal_weights(name: str, precision: Literal["fp32", "bf16", "fp16"], tmp_path: Path) -> None:
    first, second = (fitted(name, tmp_path / part, precision).state_dict() for part in ("first", "second"))
    differing = [key for key, tensor in first.items() if not torch.equal(tensor, second[key])]
    assert differing == []


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("name", [*TRAINED, *FLOORS])
def test_a_map_is_that_of_the_cpu(name: str, tmp_path: Path) -> None:
    on_gpu = fitted(name, tmp_path / "fit", "fp32")
    case = simulated_case(7, SHAPE)
    images, brain_masks = torch.from_numpy(case.image)[None], torch.from_numpy(case.brain_mask)[None, None]
    seeds = torch.tensor([5])
    with torch.inference_mode(), exact_float32():
        made = on_gpu.anomaly_map(images.cuda(), brain_masks.cuda(), seeds=seeds.cuda()).cpu()
        wanted = on_gpu.cpu().anomaly_map(images, brain_masks, seeds=seeds)
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-4 * max(1.0, float(wanted.max())))
