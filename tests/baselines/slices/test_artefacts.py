"""Each artefact is torchio's deterministic transform of the same strength."""

import pytest
import torch
import torchio
from torch import Tensor

from baselines.slices.artefacts import biased, blurred, gamma_corrected, ghosted

SHAPES = pytest.mark.parametrize("shape", [(24, 20, 13), (9, 7, 5), (30, 32, 25)])  # even, odd, and below a kernel
STD = torch.tensor([[1.9, 0.3, 1.2], [0.05, 0.124, 0.13], [2.0, 0.0, 1.0]])
GAMMA = torch.tensor([0.74, 1.0, 1.35])
COUNT = torch.tensor([4, 7, 10])
INTENSITY = torch.tensor([0.5, 1.0, 0.77])


def volumes(shape: tuple[int, int, int]) -> Tensor:
    """`(3, 1, X, Y, Z)` in [0, 1)."""
    return torch.rand(3, 1, *shape, generator=torch.Generator().manual_seed(0))


def coefficients() -> Tensor:
    return torch.rand(3, 20, generator=torch.Generator().manual_seed(1)) - 0.5


def of_each(images: Tensor, transforms: list[torchio.Transform]) -> Tensor:
    return torch.stack([transform(image) for transform, image in zip(transforms, images, strict=True)])


@SHAPES
def test_blur_is_torchios_at_1_mm(shape: tuple[int, int, int]) -> None:
    images = volumes(shape)
    expected = of_each(images, [torchio.Blur(std=tuple(std)) for std in STD.tolist()])
    torch.testing.assert_close(blurred(images, STD), expected, atol=2e-6, rtol=0)


@SHAPES
def test_bias_field_is_torchios(shape: tuple[int, int, int]) -> None:
    images = volumes(shape)
    expected = of_each(images, [torchio.BiasField(coefficients=row, order=3) for row in coefficients().tolist()])
    torch.testing.assert_close(biased(images, coefficients()), expected, atol=0, rtol=5e-6)


@SHAPES
def test_gamma_is_torchios(shape: tuple[int, int, int]) -> None:
    images = volumes(shape)
    expected = of_each(images, [torchio.Gamma(gamma=gamma) for gamma in GAMMA.tolist()])
    torch.testing.assert_close(gamma_corrected(images, GAMMA), expected, atol=1e-6, rtol=0)


@SHAPES
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ghosting_is_torchios(shape: tuple[int, int, int], axis: int) -> None:
    images = volumes(shape)
    strengths = zip(COUNT.tolist(), INTENSITY.tolist(), strict=True)
    transforms = [torchio.Ghosting(count, axis, intensity, restore=None) for count, intensity in strengths]
    made = ghosted(images, COUNT, INTENSITY, axis=axis)
    torch.testing.assert_close(made, of_each(images, transforms), atol=5e-6, rtol=0)


def test_blur_leaves_a_flat_volume_flat_up_to_its_edges() -> None:
    flat = torch.full((3, 1, 9, 8, 5), 0.7)
    torch.testing.assert_close(blurred(flat, STD), flat, atol=1e-6, rtol=0)


def test_a_blur_of_no_width_changes_nothing() -> None:
    images = volumes((9, 8, 5))
    assert torch.equal(blurred(images, torch.zeros(3, 3)), images)


def test_ghosts_keep_the_mean() -> None:
    images = volumes((24, 20, 13))
    made = ghosted(images, COUNT, INTENSITY, axis=1)
    assert not torch.allclose(made, images, atol=0.01)
    torch.testing.assert_close(made.mean(dim=(1, 2, 3, 4)), images.mean(dim=(1, 2, 3, 4)), atol=1e-5, rtol=0)


def test_volumes_in_another_memory_order_are_the_same_volumes() -> None:
    images = volumes((12, 10, 8))
    turned = images.movedim(-1, 2).contiguous().movedim(2, -1)
    assert not turned.is_contiguous()
    torch.testing.assert_close(blurred(turned, STD), blurred(images, STD), atol=1e-6, rtol=0)
    torch.testing.assert_close(biased(turned, coefficients()), biased(images, coefficients()), atol=1e-6, rtol=0)


def test_images_are_not_changed_in_place() -> None:
    images = volumes((12, 10, 8))
    before = images.clone()
    for made in (
        blurred(images, STD),
        biased(images, coefficients()),
        gamma_corrected(images, GAMMA),
        ghosted(images, COUNT, INTENSITY, axis=2),
    ):
        assert made.shape == images.shape
    assert torch.equal(images, before)
