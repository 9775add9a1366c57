"""Blur, bias field, gamma and ghosting of volumes with given strengths: torchio's transforms in batches.

Each equals torchio's own within 1e-5 of the largest intensity. None waits for a GPU.
"""

from functools import lru_cache
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import one_hot

LARGEST_STD = 2.0  # mm; as many voxels on the finest grid, of 1 mm
TRUNCATION = 4.0  # standard deviations
REACH = int(TRUNCATION * LARGEST_STD + 0.5)  # voxels
ORDER = 3
MONOMIALS = tuple(
    (i, j, k) for i in range(ORDER + 1) for j in range(ORDER + 1 - i) for k in range(ORDER + 1 - i - j)
)  # exponents of x, y, z
GHOSTS = range(4, 11)


def blurred(images: Tensor, std: Tensor) -> Tensor:
    """Gaussian filter that ends at four standard deviations; volumes go on in their mirror images.

    Args:
        images: `(B, 1, X, Y, Z)` float32.
        std: `(B, 3)` along x, y, z in voxels, at most 2.
    """
    offsets = torch.arange(-REACH, REACH + 1, device=images.device)
    width = std[..., None]  # (B, 3, 1)
    kernels = torch.exp(-0.5 * (offsets / width.clamp(min=1e-3)) ** 2)
    kernels = kernels * (offsets.abs() <= (TRUNCATION * width + 0.5).floor())
    kernels = kernels / kernels.sum(dim=-1, keepdim=True)  # (B, 3, 17)
    for axis in range(3):
        matrices = torch.tensordot(kernels[:, axis], _mirrored(images.shape[2 + axis], images.device), dims=1)
        images = _along(axis, images, matrices)
    return images


def biased(images: Tensor, coefficients: Tensor) -> Tensor:
    """Times the exponential of a polynomial of third order in x, y, z, which run from -1 to 1 through the volume.

    Args:
        images: `(B, 1, X, Y, Z)` float32.
        coefficients: `(B, 20)`, in the order of `MONOMIALS`.

    References:
        Van Leemput et al. 1999, "Automated model-based bias field correction of MR images of the brain".
    """
    x, y, z = (_powers(length, images.device) for length in images.shape[2:])
    cube = (coefficients @ _placement(images.device)).unflatten(1, (ORDER + 1,) * 3)
    along_y = y @ (cube @ z.T)  # (B, 4, Y, Z)
    return images * (x @ along_y.flatten(2)).exp().view(images.shape)


def gamma_corrected(images: Tensor, gamma: Tensor) -> Tensor:
    """`images ** gamma`, both nonnegative: `(B, 1, X, Y, Z)` and `(B,)`."""
    return images ** gamma.view(-1, 1, 1, 1, 1)


def ghosted(images: Tensor, count: Tensor, intensity: Tensor, *, axis: int) -> Tensor:
    """Every `count`-th plane of k-space along an axis is weakened, all but the central one.

    Planes that depend on one axis alone are a convolution along it, here a product with a circulant matrix.

    Args:
        images: `(B, 1, X, Y, Z)` float32.
        count: `(B,)` int64 in 4..10.
        intensity: `(B,)` in [0, 1]; at 1 the planes vanish.
        axis: 0, 1 or 2.
    """
    ghosts = _ghosts(images.shape[2 + axis], images.device)[count - GHOSTS.start]  # (B, N, N)
    identity = torch.eye(ghosts.shape[-1], device=images.device)
    return _along(axis, images, identity - intensity[:, None, None] * ghosts)


def _along(axis: int, images: Tensor, matrices: Tensor) -> Tensor:
    """Products of `(B, N, N)` matrices with the lines of `(B, 1, X, Y, Z)` images along an axis of length N."""
    batch, _, *shape = images.shape
    before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
    if after == 1:
        return (images.reshape(batch, before, -1) @ matrices.mT).view(images.shape)
    return (matrices[:, None] @ images.reshape(batch, before, -1, after)).view(images.shape)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _mirrored(length: int, device: torch.device) -> Tensor:
    """`(17, N, N)`: for each offset in -8..8 the matrix that shifts a line which goes on in its mirror images."""
    offsets = torch.arange(-REACH, REACH + 1)[:, None]
    source = (torch.arange(length) + offsets) % (2 * length)
    source = torch.minimum(source, 2 * length - 1 - source)  # (17, N)
    return one_hot(source, length).float().to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _placement(device: torch.device) -> Tensor:
    """`(20, 64)`: puts the monomials' coefficients where their exponents count, in base 4."""
    exponents = torch.tensor(MONOMIALS) @ torch.tensor([(ORDER + 1) ** 2, ORDER + 1, 1])
    return one_hot(exponents, (ORDER + 1) ** 3).float().to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _powers(length: int, device: torch.device) -> Tensor:
    """`(N, 4)`: powers 0..3 of -1..1."""
    position = torch.linspace(-1, 1, length, dtype=torch.float64) if length > 1 else torch.zeros(1).double()
    return torch.stack([position**power for power in range(ORDER + 1)], dim=1).float().to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _ghosts(length: int, device: torch.device) -> Tensor:
    """`(7, N, N)`: for 4..10 ghosts the circulant matrix that keeps the weakened planes alone."""
    plane = torch.arange(length)
    matrices = []
    for count in GHOSTS:
        weakened = (plane % count == 0) & (plane != length // 2)
        kernel = torch.fft.ifft(torch.fft.ifftshift(weakened.double())).real
        matrices.append(kernel[(plane[:, None] - plane) % length])
    return torch.stack(matrices).float().to(device)
