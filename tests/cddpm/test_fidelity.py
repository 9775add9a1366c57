"""Same weights, same noise, same reconstruction as the published program, within 1e-4."""

import csv
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.checkpoints.published import from_published
from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.schedule import cosine_alpha_bar, one_step
from cddpm.detector import CDDPM

FOLDER = Path(__file__).with_name("fidelity")
TOLERANCE = 1e-4
METHODS: Mapping[str, type[DDPM]] = {"ddpm": DDPM, "cddpm": CDDPM}


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(FOLDER / "reference.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture(scope="module", params=METHODS)
def loaded(request: pytest.FixtureRequest) -> tuple[str, DDPM]:
    """A method's name and its detector; loading is strict, so no key is missing and none is left over."""
    published = drawn_weights(FOLDER / f"{request.param}_keys.csv")
    method = METHODS[request.param]
    detector = method(method.Config())
    ours = from_published(published)
    assert len(ours) == len(published)
    detector.load_state_dict(ours, strict=True)
    return request.param, detector.eval()


def drawn_weights(table: Path) -> dict[str, Tensor]:
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    shapes = {row["key"]: tuple(int(n) for n in row["shape"].split("x") if n) for row in rows}
    return {key: torch.from_numpy(drawn_weight(key, shape)) for key, shape in shapes.items()}


def drawn_weight(key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The reference's rule: every weight follows from its published name."""
    n = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith("num_batches_tracked"):
        n = np.zeros(shape)
    elif key.endswith("running_var"):
        n = 0.5 + n * n
    elif key.endswith("running_mean"):
        n = 0.1 * n
    elif len(shape) >= 2:
        n = n / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("weight"):
        n = 1 + 0.1 * n
    else:
        n = 0.1 * n
    return np.asarray(n, dtype=np.float32)


def test_signal_share_is_the_published_one(reference: dict[str, Tensor]) -> None:
    torch.testing.assert_close(cosine_alpha_bar().float(), reference["alphas_cumprod"], atol=1e-6, rtol=1e-4)


@torch.inference_mode()
def test_code_is_the_published_one(loaded: tuple[str, DDPM], reference: dict[str, Tensor]) -> None:
    name, detector = loaded
    code = detector.code(reference["x"])
    if name == "ddpm":
        assert code is None
    else:
        torch.testing.assert_close(code, reference[f"{name}_code"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("t", [250, 500, 750])
@torch.inference_mode()
def test_reconstruction_is_the_published_one(loaded: tuple[str, DDPM], reference: dict[str, Tensor], t: int) -> None:
    name, detector = loaded
    slices, noise = reference["x"], reference["noise"]
    network = partial(detector.unet, code=detector.code(slices))
    predicted = one_step(network, 2 * slices - 1, noise, torch.full((2,), t), detector.alpha_bar)
    torch.testing.assert_close((predicted + 1) / 2, reference[f"{name}_x0_t{t}"], atol=TOLERANCE, rtol=0)
