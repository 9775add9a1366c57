"""Standardisation: maps a brain's intensities onto the mean quantile function of healthy brains."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from baselines.simple.moments import brains
from datasets.case import Case

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)


class Standardisation(nn.Module):
    """Piecewise-linear histogram standardisation with landmarks at percentiles of the brain.

    The standard landmarks are the means of the training brains' own. An image's landmarks are moved onto
    them, intensities between two landmarks linearly; beyond the first and the last one they are shifted, so
    that nothing is clipped. Images are already scaled by their 1st and 99th percentile, which is the
    method's own first step.

    References:
        Nyul, Udupa, Zhang: New variants of a method of MRI scale standardization. IEEE Transactions on
        Medical Imaging 19(2), 2000: the set of landmarks with all deciles, between two outer percentiles
        (here those that images are scaled by).
    """

    landmarks: Tensor

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("landmarks", torch.zeros(channels * len(PERCENTILES)))  # sequence after sequence

    def learn(self, cases: Sequence[Case]) -> None:
        """Landmarks of healthy brains, read case by case; brains without a voxel are skipped."""
        own = [
            torch.cat([_landmarks(channel[brain_mask[0]]) for channel in image])
            for image, brain_mask in brains(cases, self.landmarks.device)
        ]
        known = [one for one in own if len(one)]
        if known:
            self.landmarks = torch.stack(known).mean(dim=0)

    def forward(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        """An image `(C, X, Y, Z)` in the standard scale, 0 outside the brain `(1, X, Y, Z)`."""
        result = torch.zeros_like(image)
        for channel, standard, moved in zip(image, self.landmarks.view(self.channels, -1), result, strict=True):
            values = channel[brain_mask[0]]
            if len(values):
                moved[brain_mask[0]] = _moved(values, _landmarks(values), standard)
        return result


def _landmarks(values: Tensor) -> Tensor:
    """`(K,)` percentiles of `(V,)` intensities, interpolated linearly; `(0,)` of none."""
    if not len(values):
        return values
    ordered = values.sort().values
    places = torch.tensor(PERCENTILES, device=values.device, dtype=torch.float64) / 100 * (len(values) - 1)
    below = places.long()
    above = (below + 1).clamp(max=len(values) - 1)
    return torch.lerp(ordered[below], ordered[above], (places - below).to(values.dtype))


def _moved(values: Tensor, own: Tensor, standard: Tensor) -> Tensor:
    """`(V,)` intensities, with their landmarks `own` `(K,)` mapped onto `standard` `(K,)`."""
    right = torch.searchsorted(own, values).clamp(1, len(own) - 1)
    left = right - 1
    width = (own[right] - own[left]).clamp(min=torch.finfo(values.dtype).tiny)
    share = ((values - own[left]) / width).clamp(0, 1)
    between = torch.lerp(standard[left], standard[right], share)
    beyond = (values - own[-1]).clamp(min=0) + (values - own[0]).clamp(max=0)
    return between + beyond
