"""Anomaly maps and reconstructions on disk: NIfTI for any viewer, float32 rounded so that it packs well."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.postprocessing.scores import HealthyResiduals
from benchmark.storage.checksums import checked, read_checksums
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import has_volume, kept_volume
from benchmark.study.cells import Cell
from datasets.errors import BadFile, MissingData
from datasets.io.atomic import written_whole
from datasets.io.nifti import MANTISSA_BITS, Volume, round_mantissa, write_rounded
from datasets.io.nifti import read_volume as read_nifti
from datasets.io.nifti import write_volume as write_nifti

FEWEST_BITS = 10  # of a map's mantissa: thresholds within 5e-4 of themselves
FEW_LEVELS = 1024  # a map with no more different values packs well as it is
RESIDUALS = ("mean", "spread")
MERGED = 5e-4  # of the voxels from the highest down to a group, how many may become equal there


def write_map(path: Path, anomaly_map: NDArray[np.floating], affine: NDArray[np.float64]) -> None:
    """Write an anomaly map `(X, Y, Z)`, rounded by `round_in_order`.

    Raises:
        ValueError: a value is not a real number, not finite or negative.
    """
    if anomaly_map.dtype.kind not in "iuf":
        raise ValueError(f"Anomaly map {path.name}: got {anomaly_map.dtype} values, expected real numbers.")
    volume = anomaly_map.astype(np.float32)
    if not (np.isfinite(volume) & (volume >= 0)).all():
        got = f"values from {float(anomaly_map.min()):g} to {float(anomaly_map.max()):g}"
        raise ValueError(f"Anomaly map {path.name}: got {got}, expected finite ones from 0 up.")
    with written_whole(path) as beside:
        write_nifti(beside, Volume(round_in_order(volume), affine))


def write_volume(path: Path, volume: NDArray[np.floating], affine: NDArray[np.float64]) -> None:
    """Write a reconstruction or a map of p-values `(X, Y, Z)`, each value within 3e-5 of itself."""
    with written_whole(path) as beside:
        write_rounded(beside, Volume(volume, affine))


def read_map(run: RunFolder, cell: Cell, case_id: str) -> NDArray[np.float32]:
    """A case's anomaly map `(X, Y, Z)`, as it was written.

    Raises:
        BadFile: it is missing, damaged, another's or on another grid.
    """
    return _kept(run, cell, run.anomaly_map(cell, case_id))


def read_reconstruction(run: RunFolder, cell: Cell, case_id: str) -> NDArray[np.float32] | None:
    """A case's reconstruction of the first sequence `(X, Y, Z)`; None where there is none. Raises as `read_map`."""
    path = run.reconstruction(cell, case_id)
    return _kept(run, cell, path) if has_volume(run, cell, path) else None


def read_reconstructions(run: RunFolder, cell: Cell, case_id: str) -> NDArray[np.float32]:
    """A case's reconstructions of all sequences `(C, X, Y, Z)`, which were written. Raises as `read_map`."""
    return np.stack([_kept(run, cell, path) for path in run.reconstructions(cell, case_id)])


def _kept(run: RunFolder, cell: Cell, path: Path) -> NDArray[np.float32]:
    return read_volume(kept_volume(run, cell, path), cell.fit.grid.shape)


def read_volume(path: Path, shape: tuple[int, ...] | None = None) -> NDArray[np.float32]:
    """Read `(X, Y, Z)` float32.

    Args:
        shape: that it must have, by its header, before its voxels are unpacked; None for any.

    Raises:
        BadFile: the file is missing, torn, damaged or of another shape.
    """
    try:
        return read_nifti(path, as_stored=True, dtype=np.float32, shape=shape).data
    except MissingData as error:  # a map that a finished cell should have
        raise BadFile(str(error)) from error


def write_residuals(folder: Path, residuals: HealthyResiduals, affine: NDArray[np.float64]) -> None:
    """Write both volumes as `write_volume` does, the spread last."""
    for name in RESIDUALS:
        write_volume(folder / f"{name}.nii.gz", getattr(residuals, name), affine)


def has_residuals(folder: Path) -> bool:
    return all((folder / f"{name}.nii.gz").is_file() for name in RESIDUALS)


def read_residuals(folder: Path) -> HealthyResiduals:
    """Read what `write_residuals` wrote.

    Raises:
        BadFile: a file is missing, torn or damaged.
    """
    mend = f"Delete {folder} and make it anew: python -m benchmark residuals RUN"
    digests = read_checksums(folder)
    paths = (checked(folder, f"{name}.nii.gz", digests, mend) for name in RESIDUALS)
    return HealthyResiduals(*map(read_volume, paths))


def round_in_order(anomaly_map: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round each value to as few mantissa bits as leave the ranking what it was, at least `FEWEST_BITS`.

    Voxels may become equal only in groups of at most `MERGED` times their rank from the top, so the first 2000 stay in
    strict order. A ranking metric is an average of TP / rank, of which a group of g voxels at rank r changes no more
    than g / r: whatever is lesion, average precision and Dice move by less than `MERGED`, as a rule by a tenth of it.
    What many voxels share stays what it is, so that ties with other cases' maps stay ties: a value that more voxels
    have than may become equal, such as the highest of a clipped map, and any of a map of at most `FEW_LEVELS` values.

    Args:
        anomaly_map: any shape, finite and nonnegative; 0 stays 0, and no other value becomes 0.
    """
    scores = anomaly_map.ravel()
    rounded = scores.copy()
    left = np.flatnonzero(scores)
    left = left[np.argsort(-scores[left])]
    if np.count_nonzero(np.diff(scores[left])) < FEW_LEVELS:
        return anomaly_map
    rank = np.arange(1, left.size + 1)
    for bits in range(FEWEST_BITS, MANTISSA_BITS):
        coarse = round_mantissa(scores[left], bits)
        _, first, size = np.unique(-coarse, return_index=True, return_counts=True)
        representable = (coarse[first] > 0) & np.isfinite(coarse[first])
        done = np.repeat(representable & ((size == 1) | (size <= MERGED * rank[first])), size)
        rounded[left[done]] = coarse[done]
        left, rank = left[~done], rank[~done]
    return rounded.reshape(anomaly_map.shape)
