"""Parameters: every choice that changes prepared voxels."""

from dataclasses import dataclass

from datasets.errors import BadValue

PIPELINE = 2
"""Counts up whenever the same scan and parameters give other voxels, so that kept cases are made anew."""

LEAST_MM, MOST_MM = 0.5, 4.0


@dataclass(frozen=True)
class Parameters:
    """What a user may choose of the preparation.

    Attributes:
        spacing: voxel edge in mm of the prepared volumes.
        bias_correction: whether N4 is applied to images that are not corrected yet.
    """

    spacing: float = 1.0
    bias_correction: bool = True

    def __post_init__(self) -> None:
        if not LEAST_MM <= self.spacing <= MOST_MM:
            raise BadValue(f"--spacing: got {self.spacing:g} mm, wanted {LEAST_MM:g} to {MOST_MM:g}.")
