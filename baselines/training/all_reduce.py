"""Communication between the processes of one fit: mean gradients, reduced numbers, and the first rank's buffers."""

from collections.abc import Iterable
from typing import Literal

import torch
from lightning.fabric import Fabric
from torch import Tensor, distributed, nn


def reduce_over_ranks(fabric: Fabric, numbers: Tensor, reduction: Literal["mean", "sum"]) -> Tensor:
    """The reduced numbers, the same on every rank; with a single process its own numbers."""
    reduced = fabric.all_reduce(numbers, reduce_op=reduction)
    assert isinstance(reduced, Tensor)
    return reduced


def average_gradients(fabric: Fabric, weights: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the ranks.

    One message per data type after the backward pass, instead of hooks within it: players that share a network, or
    a loss that is differentiated twice, need nothing more.
    """
    if fabric.world_size == 1:
        return
    for gradients in _by_dtype(weight.grad for weight in weights if weight.grad is not None):
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        _scatter(together / fabric.world_size, gradients)


def broadcast_buffers(fabric: Fabric, network: nn.Module) -> None:
    """Give every rank the first one's buffers, so that running statistics come from one rank, not from a mixture."""
    if fabric.world_size == 1:
        return
    for buffers in _by_dtype(network.buffers()):
        together = torch.cat([buffer.flatten() for buffer in buffers])
        distributed.broadcast(together, src=0)
        _scatter(together, buffers)


def _by_dtype(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    return list(groups.values())


def _scatter(together: Tensor, tensors: list[Tensor]) -> None:
    parts = together.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
