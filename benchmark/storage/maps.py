"""Anomaly maps and reconstructions on disk: NIfTI for any viewer, 16 bits per voxel."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadFile
from datasets.io.atomic import written_whole
from datasets.io.nifti import Volume, write_scaled


def write_volume(path: Path, volume: NDArray[np.floating], affine: NDArray[np.float64]) -> None:
    """Write `(X, Y, Z)` as uint16 with slope and intercept; see `datasets.io.nifti.write_scaled`."""
    with written_whole(path) as beside:
        write_scaled(beside, Volume(volume, affine))


def read_volume(path: Path) -> NDArray[np.float32]:
    """`(X, Y, Z)` float32.

    Raises:
        BadFile: the file is missing, torn or damaged.
    """
    try:
        # The whole file, so that gzip checks its sum: nibabel alone reads no further than the last voxel.
        return nibabel.nifti1.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes())).get_fdata(dtype=np.float32)
    except Exception as error:  # nibabel, gzip and zlib share no base class for a torn file
        raise BadFile(f"{path}: got a map that cannot be read ({error}), wanted one that predict wrote.") from error
