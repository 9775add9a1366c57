"""Random numbers that depend on seeds alone: mixed seeds, seeded torch generators, and counter-based random words."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# Philox-4x32-10.
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


def mix_seeds(seeds: Tensor, indices: Tensor) -> Tensor:
    """One int64 for each pair of a seed and an index; the two broadcast.

    The seed goes through SplitMix64's finaliser before the index advances it, so that seed s at
    index i + 1 and seed s + 1 at index i are unrelated.

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
    """Seed torch's generators of the CPU and of `device` inside the block, and restore the caller's states after it."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def random_words(seeds: Tensor, count: int, *, stream: int) -> Tensor:
    """Unsigned 32-bit words, the same in any batch and on any device.

    Args:
        seeds: `(B,)` int64; the generator's keys.
        count: words a seed.
        stream: another stream of the same seed is another, independent sequence.

    Returns:
        `(B, count)` int64.
    """
    block = torch.arange((count + 3) // 4, device=seeds.device)
    zero = torch.zeros_like(block)
    counter = torch.stack([block, zero + stream, zero, zero], dim=-1)  # (blocks, 4)
    key = torch.stack([seeds & WORD, _high(seeds)], dim=-1)[:, None]  # (B, 1, 2)
    return philox(counter, key).flatten(1)[:, :count]


def philox(counter: Tensor, key: Tensor) -> Tensor:
    """Philox-4x32-10: four random 32-bit words for each counter and key.

    Args:
        counter: `(..., 4)` and
        key: `(..., 2)` int64 that hold unsigned 32-bit words; leading axes broadcast.

    Returns:
        `(..., 4)` int64 that hold unsigned 32-bit words.

    References:
        Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    c0, c1, c2, c3 = counter.unbind(-1)
    k0, k1 = key.unbind(-1)
    for _ in range(ROUNDS):
        # The products wrap around in int64, which keeps the 64 bits of the unsigned ones.
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = _high(p1) ^ c1 ^ k0, p1 & WORD, _high(p0) ^ c3 ^ k1, p0 & WORD
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return torch.stack([c0, c1, c2, c3], dim=-1)


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


def _high(product: Tensor) -> Tensor:
    return (product >> 32) & WORD
