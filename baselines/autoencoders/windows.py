"""Window: neighbouring slices of a volume, and how many of them cover it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """Neighbouring slices of one volume that are reconstructed together.

    Attributes:
        case: index of the volume in its batch.
        start: the first slice's index along Z.
        taken: indices along Z of those slices whose reconstruction is taken from here, ascending.
    """

    case: int
    start: int
    taken: tuple[int, ...]

    def cut(self, volumes: Tensor, length: int) -> Tensor:
        """Its slices `(length, X, Y)` out of `(N, 1, X, Y, Z)`."""
        return volumes[self.case, 0, :, :, self.start : self.start + length].movedim(-1, 0)

    def paste(self, slices: Tensor, volumes: Tensor) -> None:
        """Write those of its `(length, X, Y)` slices that are taken to their places in `(N, 1, X, Y, Z)`."""
        for z in self.taken:
            volumes[self.case, 0, :, :, z] = slices[z - self.start]


def windows_of(holds_brain: Tensor, length: int, *, case: int = 0) -> list[Window]:
    """Windows that overlap by half and cover a volume from its first slice with brain to its last.

    Every slice with brain is taken once, from the window whose middle is nearest, the first of two. Where
    the brain spans fewer slices than a window, the only one begins with the brain, or is the volume's last.

    Args:
        holds_brain: `(Z,)` bool.
        length: slices of a window, at most Z.
    """
    with_brain = holds_brain.nonzero()[:, 0].cpu()
    if len(with_brain) == 0:
        return []
    first = min(int(with_brain[0]), len(holds_brain) - length)
    final = max(int(with_brain[-1]) - length + 1, first)
    starts = [*range(first, final, max(length // 2, 1)), final]
    distances = with_brain[:, None] - (torch.tensor(starts) + (length - 1) / 2)  # (slices, windows)
    nearest = distances.abs().argmin(dim=1)
    taken = [tuple(with_brain[nearest == window].tolist()) for window in range(len(starts))]
    return [Window(case, start, slices) for start, slices in zip(starts, taken, strict=True) if slices]
