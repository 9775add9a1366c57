"""The common grid that scans are brought onto, and its presets."""

from dataclasses import dataclass
from typing import Literal, get_args

Sampling = Literal["average", "spline"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)


@dataclass(frozen=True)
class Grid:
    """A box centred on the volume's centre, and how scans are sampled and scaled inside it.

    Attributes:
        shape: voxels along x, y, z (RAS+).
        spacing: voxel edge in mm, the same along every axis.
        percentiles: intensities inside the brain mask that become 0 and 1.
        sampling: `average` integrates over voxels and keeps the volume of masks; `spline` is the published sampling.
            See `datasets.sampling.Sampler`.

    Examples:
        >>> GRIDS["quick"].text
        '48 x 48 x 25 voxels of 4 mm, sampling average'
    """

    shape: tuple[int, int, int] = (96, 96, 50)
    spacing: float = 2.0
    percentiles: tuple[float, float] = (1.0, 99.0)
    sampling: Sampling = "average"

    @property
    def text(self) -> str:
        return f"{' x '.join(map(str, self.shape))} voxels of {self.spacing:g} mm, sampling {self.sampling}"


PUBLISHED = "paper"
"""The preset of the published grid and training budgets."""
SMALL = "small"
"""The preset of the published grid and of networks that a CPU can train."""
GRIDS = {PUBLISHED: Grid(), "quick": Grid(shape=(48, 48, 25), spacing=4.0), SMALL: Grid()}
