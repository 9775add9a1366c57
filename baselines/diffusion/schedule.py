"""The noise process: how much signal is left after t of `STEPS` steps, noising, and one step back."""

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor

STEPS = 1000


def cosine_alpha_bar(steps: int = STEPS, *, s: float = 0.008) -> Tensor:
    """Share of the signal's variance left after t = 1..`steps` steps, `(steps,)` float64 at index t - 1.

    References:
        Nichol and Dhariwal 2021, "Improved denoising diffusion probabilistic models", eq. 17; betas are
        clipped at 0.999 as they do.
    """
    share = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((share + s) / (1 + s) * pi / 2).square()
    beta = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - beta, dim=0)


def add_noise(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Draw of q(x_t | x_0), `(B, 1, X, Y)`.

    Args:
        clean: `(B, 1, X, Y)` in [-1, 1].
        noise: `(B, 1, X, Y)`.
        alpha_bar: `(B,)`, one noise level a slice.

    References:
        Ho et al. 2020, "Denoising diffusion probabilistic models", eq. 4.
    """
    alpha_bar = alpha_bar[:, None, None, None]
    return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise


def one_step(
    network: Callable[[Tensor, Tensor], Tensor], clean: Tensor, noise: Tensor, t: Tensor, alpha_bar: Tensor
) -> Tensor:
    """Noise `clean` to step t and let the network predict x_0 from that at once, `(B, 1, X, Y)`.

    Args:
        network: `(x_t, t - 1)` to x_0.
        clean: `(B, 1, X, Y)` in [-1, 1].
        noise: `(B, 1, X, Y)`.
        t: `(B,)` int64 in 1..T.
        alpha_bar: `(T,)`.
    """
    return network(add_noise(clean, noise, alpha_bar[t - 1]), t - 1)


def posterior_draw(noised: Tensor, clean: Tensor, noise: Tensor, *, alpha_bar: float, lower_alpha_bar: float) -> Tensor:
    """Draw of q(x_s | x_t, x_0) for s < t, `(B, 1, X, Y)`; x_0 itself where s is 0.

    Args:
        noised: x_t.
        clean: x_0, as predicted.
        noise: of unit variance for an exact draw.
        alpha_bar, lower_alpha_bar: at t and, larger, at s.

    References:
        Ho et al. 2020, "Denoising diffusion probabilistic models", eqs. 6 and 7, with the steps between s and t in one.
    """
    beta, left = 1 - alpha_bar / lower_alpha_bar, 1 - alpha_bar
    of_clean = lower_alpha_bar**0.5 * beta / left
    of_noised = (1 - beta) ** 0.5 * (1 - lower_alpha_bar) / left
    spread = (beta * (1 - lower_alpha_bar) / left) ** 0.5
    return of_clean * clean + of_noised * noised + spread * noise
