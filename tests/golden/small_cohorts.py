"""Small simulated cohorts under the names of real ones, of whole numbers: every machine writes the same voxels."""

import csv
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

SHAPE = (34, 38, 25)
SPACING = 4  # mm, that of the preset `quick`: no scan is resampled
TISSUE = {"csf": 60, "grey": 130, "white": 185}
LESION = 55  # brighter than what it lies in
SPLITS = {
    "ixi": {"train": 4, "val": 10, "test": 8},
    "msl": {"val": 5, "test": 8},
    "lgg": {"test": 4},
    "oasis": {"test": 22},
}
COLUMNS = ("case_id", "subject_id", "split", "sequences", "site", "age", "sex")
Counts = NDArray[np.int64]


def write_cohorts(data: Path) -> None:
    """`ixi` and `oasis`, healthy, `msl` and `lgg`, with lesions; in each split the last subject was scanned twice."""
    for cohort, splits in SPLITS.items():
        rows = []
        for split, scans in splits.items():
            for number in range(scans):
                case_id = f"{cohort}-{split}-{number}"
                subject = f"{cohort}-{split}-{min(number, scans - 2)}"
                write_scan(data / cohort, case_id, lesions=cohort in ("msl", "lgg"))
                sex = "FM"[len(subject) % 2 ^ number % 2] if number < scans - 1 else "FM"[scans % 2]
                rows.append((case_id, subject, split, "t1", ("north", "south")[number % 2], 30 + 7 * number, sex))
        with (data / cohort / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(rows)


def write_scan(folder: Path, case_id: str, *, lesions: bool) -> None:
    """A shell of CSF, a ribbon of grey matter, white matter and a ventricle, with up to three bright balls."""
    rng = np.random.default_rng(list(case_id.encode()))
    bumps = _box_sums(rng.integers(-100, 101, SHAPE), 3)  # s.d. about 1000
    radius = _squared_radius((16, 18, 12)) + bumps // 40  # 1000 at the brain's surface
    brain = radius < 1000
    white, ventricle = radius < 620, radius < 45
    image = np.where(white & ~ventricle, TISSUE["white"], np.where(radius < 860, TISSUE["grey"], TISSUE["csf"]))
    image = np.where(ventricle, TISSUE["csf"], image) + rng.integers(-6, 7, SHAPE)
    lesion = np.zeros(SHAPE, bool)
    for _ in range(int(rng.integers(1, 4)) if lesions else 0):
        centre = [int(rng.integers(size // 2 - 5, size // 2 + 6)) for size in SHAPE]
        lesion |= (_squared_distance(centre) <= int(rng.integers(2, 12))) & brain
    image = image + LESION * lesion
    _save(folder / "t1" / f"{case_id}.nii.gz", np.where(brain, image, 0))
    _save(folder / "brain_mask" / f"{case_id}.nii.gz", brain)
    if lesions:
        _save(folder / "lesion_mask" / f"{case_id}.nii.gz", lesion)


def _squared_radius(radii: tuple[int, int, int]) -> Counts:
    """Of an ellipsoid about the middle, in thousandths."""
    squares = zip(np.indices(SHAPE, np.int64), SHAPE, radii, strict=True)
    return sum(((2 * axis - (size - 1)) ** 2 * 250) // radius**2 for axis, size, radius in squares)  # type: ignore[return-value]


def _squared_distance(centre: list[int]) -> Counts:
    """In voxels."""
    return sum((axis - at) ** 2 for axis, at in zip(np.indices(SHAPE, np.int64), centre, strict=True))  # type: ignore[return-value]


def _box_sums(values: Counts, reach: int) -> Counts:
    """Sums over the cube of `2 * reach + 1` voxels about each voxel, round the edges."""
    for axis in range(3):
        values = sum(np.roll(values, step, axis) for step in range(-reach, reach + 1))  # type: ignore[assignment]
    return values


def _save(path: Path, volume: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    nibabel.nifti1.Nifti1Image(volume.astype(np.uint8), affine).to_filename(path)
