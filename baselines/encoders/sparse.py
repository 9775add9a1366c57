"""Sparse layers: inside a block they compute on some patches of their maps only, and the rest stays 0."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from datasets.errors import BadValue

_kept: Tensor | None = None  # not a ContextVar, at which torch.compile breaks the graph


@contextmanager
def sparse(kept: Tensor) -> Iterator[None]:
    """Within, the layers below write 0 outside the patches `kept` `(B, G, G)` bool, at any resolution.

    References:
        Tian et al. 2023, "Designing BERT for convolutional networks: sparse and hierarchical masked
        modeling", section 3.
    """
    global _kept
    before, _kept = _kept, kept
    try:
        yield
    finally:
        _kept = before


def is_sparse() -> bool:
    return _kept is not None


class SparseConv2d(nn.Conv2d):
    """A convolution; masked in `sparse`, so that kept patches do not grow into removed ones."""

    def forward(self, x: Tensor) -> Tensor:
        return _masked(super().forward(x))


class SparseMaxPool2d(nn.MaxPool2d):
    """Maxima of values that are not negative; masked in `sparse`, whose zeros can then win over nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return _masked(super().forward(x))


class SparseBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation; in `sparse`, of the kept positions alone: the others are no part of its statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if _kept is None:
            return super().forward(x)
        kept = resized(_kept, x.shape[-1])
        values = x.movedim(1, -1)[kept]  # (positions, C)
        values = super().forward(values[:, :, None, None])[:, :, 0, 0]
        result = values.new_zeros(*kept.shape, x.shape[1])
        result[kept] = values
        return result.movedim(-1, 1)  # (B, C, X, Y)


def resized(patches: Tensor, size: int) -> Tensor:
    """`(B, G, G)` patches as `(B, size, size)` positions.

    Raises:
        BadValue: `size` is no multiple of G.
    """
    scale, rest = divmod(size, patches.shape[-1])
    if rest or not scale:
        raise BadValue(f"Got a map of {size} x {size}, expected a multiple of the {patches.shape[-1]} patches an edge.")
    return patches.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)


def _masked(x: Tensor) -> Tensor:
    return x if _kept is None else torch.where(resized(_kept, x.shape[-1])[:, None], x, 0)
