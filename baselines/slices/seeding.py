"""Randomness from seeds: mixing two integers into one, and generators that are put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def mix_seeds(seeds: Tensor, indices: Tensor) -> Tensor:
    """One int64 for each pair of a seed and an index; the two broadcast.

    The seed goes through SplitMix64's finaliser before the index steps it on, so that seed s at
    index i + 1 and seed s + 1 at index i have nothing in common.

    References:
        Steele, Lea, Flood: Fast splittable pseudorandom number generators. OOPSLA 2014.
    """
    return _finalise(_finalise(seeds + _GOLDEN) + (indices + 1) * _GOLDEN)


def mix_seed(seed: int, index: int) -> int:
    """`mix_seeds` of one pair; a seed of any size is taken modulo 2 ** 64."""
    wrapped = (seed + 2**63) % 2**64 - 2**63
    return int(mix_seeds(torch.tensor(wrapped), torch.tensor(index)))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generators of the CPU and of `device` start from `seed`; the caller's are put back after."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _signed(constant: int) -> int:
    """An unsigned 64-bit constant as the int64 of the same bits; int64 products wrap alike."""
    return constant - 2**64 if constant >= 2**63 else constant


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def _finalise(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * _FIRST
    state = (state ^ _shifted(state, 27)) * _SECOND
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; torch's own copies the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
