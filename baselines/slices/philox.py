"""Philox: a counter-based generator, so that random words depend on their seed and stream alone."""

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


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


def _high(product: Tensor) -> Tensor:
    return (product >> 32) & WORD
