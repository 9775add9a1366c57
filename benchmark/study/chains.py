"""Chain and CHAINS: the named post-processing pipelines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil


@dataclass(frozen=True)
class Chain:
    """A named post-processing; the defaults do nothing.

    Attributes:
        erosion: iterations by which the brain mask is eroded with a cross, axial slice by axial slice.
        median: edge of the median filter's cube in voxels; odd.
        within_brain: the median is over the neighbours inside the brain; otherwise zeros outside count.
        min_voxels, min_ml: smaller 26-connected components are removed from a prediction.
    """

    name: str
    title: str
    erosion: int = 0
    median: int = 1
    within_brain: bool = False
    min_voxels: int = 1
    min_ml: float = 0.0

    def smallest(self, voxel_ml: float) -> int:
        """Voxels of the smallest component that is kept."""
        rounding = 1e-3  # voxel_ml comes from an affine: 0.03 ml are 30 voxels of 1 mm, not 31
        return max(self.min_voxels, ceil(self.min_ml / voxel_ml - rounding))


def without_each_step(chain: Chain) -> dict[str, Chain]:
    """The chain once without each step that it has, by the step's name."""
    left_out = {
        "erosion": replace(chain, erosion=0),
        "median": replace(chain, median=1),
        "components": replace(chain, min_voxels=1, min_ml=0.0),
    }
    return {
        step: replace(part, name=f"{chain.name}-no-{step}", title=f"{chain.title}, no {step}")
        for step, part in left_out.items()
        if part != chain
    }


_STANDARD = (
    Chain("paper", "as published", erosion=3, median=5, min_voxels=7),
    Chain("light", "light", median=3, within_brain=True, min_ml=0.03),
    Chain("none", "none"),
)

STANDARD_CHAINS = tuple(chain.name for chain in _STANDARD)

CHAINS: Mapping[str, Chain] = {
    chain.name: chain for whole in _STANDARD for chain in (whole, *without_each_step(whole).values())
}
