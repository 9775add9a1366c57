"""healthy_moments: voxel-wise mean and s.d. of healthy brains, read case by case."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from datasets.case import Case
from datasets.progress import watched

Prepare = Callable[[Tensor, Tensor], Tensor]


def healthy_moments(
    cases: Sequence[Case], prepare: Prepare, *, coverage: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and population s.d. `(C, X, Y, Z)` float32 of prepared brains, sequence by sequence.

    Voxels inside fewer than the share `coverage` of the brains get the mean and s.d. over all brain voxels.

    Args:
        prepare: from an image `(C, X, Y, Z)` and its brain mask `(1, X, Y, Z)` to what is averaged; 0 outside the
            brain.

    Raises:
        ValueError: there is no case.
    """
    if len(cases) == 0:
        raise ValueError("Got no healthy training case, expected at least one.")
    running = _RunningMoments()
    for image, brain_mask in brains(cases, device):
        running.add(prepare(image, brain_mask), brain_mask)
    return running.moments(coverage * len(cases))


def brains(cases: Sequence[Case], device: torch.device) -> Iterable[tuple[Tensor, Tensor]]:
    """Image `(C, X, Y, Z)` and brain mask `(1, X, Y, Z)` of each case; one case is held at a time."""
    for index in watched(range(len(cases)), "  loading cases"):
        case = cases[index]
        yield torch.from_numpy(case.image).to(device), torch.from_numpy(case.brain_mask)[None].to(device)


def check_fitted(images: Tensor, mean: Tensor, method: str) -> None:
    """Refuse `(N, C, X, Y, Z)` images without a fitted `mean` `(C, X, Y, Z)` of their shape.

    Raises:
        RuntimeError: nothing was fitted.
        ValueError: volumes are not of the shape that was fitted.
    """
    if mean.numel() == 0:
        raise RuntimeError(
            f"Got a {method} that knows no healthy brain, expected a fitted one: call fit or load weights."
        )
    if images.shape[1:] != mean.shape:
        got, expected = tuple(images.shape[1:]), tuple(mean.shape)
        raise ValueError(f"Got volumes of {got}, expected {expected} as in the training cases.")


class _RunningMoments:
    """Voxel-wise sums over cases, in the memory of a few volumes.

    Sums are float64: for values in [0, 1] their rounding does not show in a float32 s.d.
    """

    def __init__(self) -> None:
        self.count = self.total = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, image: Tensor, brain_mask: Tensor) -> None:
        """`image` `(C, X, Y, Z)` is 0 outside `brain_mask` `(1, X, Y, Z)`."""
        values = image.double()
        self.count = brain_mask.double() + self.count.to(values.device)
        self.total = values + self.total.to(values.device)
        self.squares = values**2 + self.squares.to(values.device)

    def moments(self, least: float) -> tuple[Tensor, Tensor]:
        """Mean and s.d., float32; those of all a sequence's voxels where fewer than `least` brains are."""
        known = (self.count >= least) & (self.count > 0)
        mean, deviation = _moments(self.count.clamp(min=1), self.total, self.squares)
        everywhere = [_summed(part) for part in (self.count, self.total, self.squares)]
        overall_mean, overall_deviation = _moments(*everywhere)
        return torch.where(known, mean, overall_mean).float(), torch.where(known, deviation, overall_deviation).float()


def _summed(volumes: Tensor) -> Tensor:
    """`(C, 1, 1, 1)` sums of `(C, X, Y, Z)`."""
    return torch.stack([volume.sum() for volume in volumes])[:, None, None, None]


def _moments(count: Tensor, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population s.d."""
    mean = total / count
    return mean, (squares / count - mean**2).clamp(min=0).sqrt()
