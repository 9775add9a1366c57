"""Tiny cohorts as files: volunteers, who are healthy, and patients and inpatients, who have lesions."""

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import Split
from datasets.grid import Grid
from datasets.spec import DatasetSpec

SHAPE = (16, 16, 12)
SPACING = 2.5  # mm: every step of `light` has an effect
TINY = Grid(shape=SHAPE, spacing=SPACING)
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])


def _spec(name: str, *, healthy: bool) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=name.capitalize(),
        sequences=("t1", "flair"),
        healthy=healthy,
        licence="none",
        reference="simulated",
        url="https://example.org",
        how_to_get="Write it with write_cohort.",
        fitted_on="volunteers",
    )


VOLUNTEERS = _spec("volunteers", healthy=True)
PATIENTS = _spec("patients", healthy=False)
INPATIENTS = _spec("inpatients", healthy=False)
NOT_A_SPEC = "volunteers"


def write_cohorts(data: Path) -> None:
    """All three, in the prepared layout; inpatients have no validation cases."""
    write_cohort(data, VOLUNTEERS, {"train": 3, "val": 3, "test": 2})
    write_cohort(data, PATIENTS, {"val": 3, "test": 3})
    write_cohort(data, INPATIENTS, {"test": 2})


def write_cohort(data: Path, spec: DatasetSpec, sizes: Mapping[Split, int]) -> None:
    """`sizes` cases of each split; the first two cases of a split are scans of one subject."""
    rows = []
    for split, size in sizes.items():
        for index in range(size):
            case_id = f"{spec.name}-{split}-{index}"
            write_case(data / spec.name, case_id, lesion=not spec.healthy)
            rows.append((case_id, f"{spec.name}-{split}-{max(index, 1)}", split, "t1", "here"))
    with (data / spec.name / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("case_id", "subject_id", "split", "sequences", "site"))
        writer.writerows(rows)


def write_case(folder: Path, case_id: str, *, lesion: bool) -> None:
    rng = np.random.default_rng(np.frombuffer(case_id.encode(), np.uint8))
    brain_mask = ellipsoid((7.5, 7.5, 5.5), (6.5, 6.0, 5.0))
    image = (100 + 20 * _smooth_noise(rng)) * brain_mask
    if lesion:
        middle = rng.uniform((5, 5, 4), (10, 10, 7))
        lesion_mask = ellipsoid(middle, (2.5, 2.0, 1.8)) & brain_mask
        image = np.where(lesion_mask, image * 1.6, image)
        write_nifti(folder / "lesion_mask" / f"{case_id}.nii.gz", lesion_mask.astype(np.uint8))
    write_nifti(folder / "t1" / f"{case_id}.nii.gz", image.astype(np.float32))
    write_nifti(folder / "brain_mask" / f"{case_id}.nii.gz", brain_mask.astype(np.uint8))


def write_nifti(path: Path, volume: NDArray[np.generic], spacing: float = SPACING) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.nifti1.Nifti1Image(volume, np.diag([spacing, spacing, spacing, 1.0])).to_filename(path)


def ellipsoid(middle: NDArray[np.float64] | tuple[float, ...], radii: tuple[float, ...]) -> NDArray[np.bool_]:
    """`SHAPE` bool; `middle` and `radii` in voxels."""
    axes = np.indices(SHAPE).transpose(1, 2, 3, 0)
    return np.asarray((((axes - np.asarray(middle)) / radii) ** 2).sum(axis=-1) <= 1)


def _smooth_noise(rng: np.random.Generator) -> NDArray[np.float64]:
    noise = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.5)
    return np.asarray(noise / noise.std())


def write_flair(data: Path, spec: DatasetSpec, *, lacking: Collection[str] = ()) -> None:
    """Give the cases of a written cohort a second sequence, whose healthy tissue is the darker the brighter on T1."""
    folder = data / spec.name
    table = folder / "cases.csv"
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        name = f"{row['case_id']}.nii.gz"
        if row["case_id"] not in lacking:
            row["sequences"] = "t1 flair"
            t1 = np.asarray(nibabel.nifti1.load(folder / "t1" / name).dataobj)
            noise = _smooth_noise(np.random.default_rng(np.frombuffer(name.encode(), np.uint8)))
            flair = np.where(t1 > 0, 60 + 20 * noise + 4000 / np.maximum(t1, 20), 0)
            lesion = folder / "lesion_mask" / name
            if lesion.is_file():
                flair = np.where(np.asarray(nibabel.nifti1.load(lesion).dataobj) > 0, 1.8 * flair.max(), flair)
            write_nifti(folder / "flair" / name, flair.astype(np.float32))
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
