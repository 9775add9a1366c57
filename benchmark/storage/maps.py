"""Anomaly maps and reconstructions on disk: NIfTI for any viewer, 16 bits per voxel."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadFile
from datasets.io.atomic import written_whole

LEVELS = np.iinfo(np.uint16).max


def write_volume(path: Path, volume: NDArray[np.floating], affine: NDArray[np.float64]) -> None:
    """Write `(X, Y, Z)` as uint16 with slope and intercept; the error is half of (max - min) / 65535.

    The smallest value, 0 for an anomaly map, is kept exactly.
    """
    low, high = float(volume.min()), float(volume.max())
    slope = np.float32((high - low) / LEVELS) or np.float32(1)
    levels = np.clip(np.round((volume.astype(np.float64) - low) / slope), 0, LEVELS).astype(np.uint16)
    nifti = nibabel.nifti1.Nifti1Image(levels, affine)
    nifti.header.set_slope_inter(slope, low)
    with written_whole(path) as beside:
        nifti.to_filename(beside)


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
