"""Anomaly maps and reconstructions on disk: NIfTI for any viewer, 16 bits per voxel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadFile, MissingData
from datasets.io import nifti
from datasets.io.atomic import written_whole


def write_volume(path: Path, volume: NDArray[np.floating], affine: NDArray[np.float64]) -> None:
    """Write `(X, Y, Z)` as uint16 with slope and intercept; see `datasets.io.nifti.write_scaled`."""
    with written_whole(path) as beside:
        nifti.write_scaled(beside, nifti.Volume(volume, affine))


def read_volume(path: Path) -> NDArray[np.float32]:
    """Read `(X, Y, Z)` float32.

    Raises:
        BadFile: the file is missing, torn or damaged.
    """
    try:
        return nifti.read_volume(path, as_stored=True, dtype=np.float32).data
    except MissingData as error:  # a map that a finished cell should have
        raise BadFile(str(error)) from error
