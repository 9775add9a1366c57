"""Winograd's convolution: a 3 x 3 convolution by a quarter of the products, for inference in float32 on a CPU."""

from functools import lru_cache
from math import gcd

import torch
from torch import Tensor, nn

TILE = 4  # pixels along an edge that one tile of input makes of the output
PATCH = TILE + 2  # pixels along an edge of that tile of input
FEWEST_CHANNELS = 64
TILES_AT_ONCE = 288  # half of a 96 x 96 slice: their transforms stay in the processor's cache

# Evaluation at 0, 1, -1, 2, -2 and infinity, and what takes products there back to pixels.
INPUT = ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0), (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0),
         (0, 4, 0, -5, 0, 1))  # fmt: skip
KERNEL = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))  # over 24
OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
AT_ONE = PATCH + 1  # the point (1, 1): what is added there is added to every pixel


class Conv3x3(nn.Conv2d):
    """A 3 x 3 convolution that keeps the size; where that is faster, by Winograd's algorithm.

    That is in inference mode, in float32, on a CPU, with many channels, where nothing is compiled: 0.4 to 0.7 of
    the time of a direct convolution. The two differ by rounding, about 5 times that of the direct one.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return winograd(x, self.weight, self.bias) if self._is_faster(x) else super().forward(x)

    def _is_faster(self, x: Tensor) -> bool:
        return (
            not torch.compiler.is_compiling()  # which fuses what is around direct convolutions
            and torch.is_inference_mode_enabled()
            and x.device.type == "cpu"
            and x.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and min(self.in_channels, self.out_channels) >= FEWEST_CHANNELS
            and x.shape[2] % TILE == 0
            and x.shape[3] % TILE == 0
        )


def winograd(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`F.conv2d(x, weight, bias, padding=1)` in channels-last layout.

    Slices go through it in groups of equal size, so that none depends on its place in the batch.

    Args:
        x: `(B, C, X, Y)` float32; X and Y multiples of 4.
        weight: `(O, C, 3, 3)`.
        bias: `(O,)` or None.

    References:
        Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", arXiv 1509.09308: F(4 x 4, 3 x 3).
    """
    batch, _, height, width = x.shape
    down, across = height // TILE, width // TILE
    rows = gcd(down, max(TILES_AT_ONCE // across, 1))
    group = gcd(batch, max(TILES_AT_ONCE // (rows * across), 1)) if rows == down else 1
    kernels = _transformed_kernels(weight)  # (36, C, O)
    padded = x.new_zeros((group, height + 2, width + 2, x.shape[1]))
    result = x.new_empty((batch, height, width, len(weight)))
    for images, made in zip(x.movedim(1, 3).split(group), result.split(group), strict=True):
        padded[:, 1:-1, 1:-1] = images
        for top in range(0, height, rows * TILE):
            strip = padded[:, top : top + rows * TILE + 2]
            _convolve(strip, kernels, bias, made[:, top : top + rows * TILE])
    return result.movedim(3, 1)


def _convolve(padded: Tensor, kernels: Tensor, bias: Tensor | None, made: Tensor) -> None:
    """Fill `(B, X, Y, O)` from `(B, X + 2, Y + 2, C)` by transformed kernels."""
    batch, height, width, outputs = made.shape
    down, across = height // TILE, width // TILE
    points = _along_both_axes(_matrix(INPUT), _tiles(padded, down, across))  # (6, 6, B * tiles * C)
    products = torch.bmm(points.view(PATCH**2, -1, padded.shape[3]), kernels)  # (36, B * tiles, O)
    if bias is not None:
        products[AT_ONE] += bias
    pixels = _along_both_axes(_matrix(OUTPUT), products.view(PATCH, PATCH, -1))  # (4, 4, B * tiles * O)
    pixels = pixels.view(TILE, TILE, batch, down, across, outputs).permute(2, 3, 0, 4, 1, 5)
    made.unflatten(2, (across, TILE)).unflatten(1, (down, TILE)).copy_(pixels)


def _tiles(padded: Tensor, down: int, across: int) -> Tensor:
    """`(6, 6, B * tiles * C)`: overlapping tiles of `(B, X + 2, Y + 2, C)`, a pixel of all tiles a row."""
    of_image, of_row, of_pixel, _ = padded.stride()
    tiles = padded.as_strided(
        (PATCH, PATCH, len(padded), down, across, padded.shape[3]),
        (of_row, of_pixel, of_image, TILE * of_row, TILE * of_pixel, 1),
    )
    return tiles.reshape(PATCH, PATCH, -1)


def _transformed_kernels(weight: Tensor) -> Tensor:
    """`(36, C, O)` of `(O, C, 3, 3)`; made at each call, which is 2 % of it and can never be out of date.

    The taps of a weight lie beside each other: one product takes them as they are, and none is copied.
    """
    both = torch.kron(_matrix(KERNEL, 24), _matrix(KERNEL, 24))  # (36, 9)
    points = both @ weight.reshape(-1, 9).T  # (36, O * C)
    return points.view(PATCH**2, *weight.shape[:2]).transpose(1, 2)


def _along_both_axes(matrix: Tensor, values: Tensor) -> Tensor:
    """`(M, M, N)` of `(K, K, N)` by an `(M, K)` matrix."""
    first = (matrix @ values.flatten(1)).view(len(matrix), values.shape[1], -1)  # (M, K, N)
    return torch.matmul(matrix, first)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _matrix(rows: tuple[tuple[int, ...], ...], divisor: int = 1) -> Tensor:
    return (torch.tensor(rows, dtype=torch.float64) / divisor).float()
