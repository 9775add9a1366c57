"""Simple healthy heads as files: a shell of CSF, a ribbon of grey matter, white matter and a ventricle."""

import csv
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.spec import DatasetSpec

SHAPE = (34, 38, 30)
SPACING = 4.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
LEVELS = {"t1": (50, 140, 190), "t2": (220, 130, 90)}  # of CSF, grey and white matter

HEADS = DatasetSpec(
    name="heads",
    title="Heads",
    sequences=("t1", "t2"),
    healthy=True,
    licence="CC0",
    reference="simulated",
    url="https://example.org",
    how_to_get="Write them with write_heads.",
    fitted_on="heads",
)


def write_heads(data: Path, subjects: int = 3) -> None:
    """So many test subjects, the first with two scans; three train and two val ones."""
    rows = []
    splits = [*["test"] * subjects, "test", *["train"] * 3, *["val"] * 2]
    for index, split in enumerate(splits):
        subject = "head-0" if index == subjects else f"head-{index}"
        case_id = "head-0-again" if index == subjects else subject
        write_head(data / "heads", case_id)
        rows.append((case_id, subject, split, " ".join(LEVELS), "here"))
    with (data / "heads" / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("case_id", "subject_id", "split", "sequences", "site"))
        writer.writerows(rows)


def write_head(folder: Path, case_id: str) -> None:
    rng = np.random.default_rng(np.frombuffer(case_id.encode(), np.uint8))
    axes = np.indices(SHAPE).transpose(1, 2, 3, 0) - (np.array(SHAPE) - 1) / 2
    radius = np.sqrt(((axes / np.array([15.5, 17.5, 13.5])) ** 2).sum(axis=-1))
    radius = radius + 0.03 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2) / 0.05
    brain = radius < 1
    tissue = np.select([radius > 0.93, radius > 0.78, radius > 0.16], [0, 1, 2], 0)
    for sequence, levels in LEVELS.items():
        image = np.array(levels)[tissue] + 3 * rng.standard_normal(SHAPE)
        save(folder / sequence / f"{case_id}.nii.gz", np.where(brain, image, 0).round().astype(np.uint8))
    save(folder / "brain_mask" / f"{case_id}.nii.gz", brain.astype(np.uint8))


def save(path: Path, volume: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.nifti1.Nifti1Image(volume, AFFINE).to_filename(path)


def voxels(path: Path) -> NDArray[np.float64]:
    return np.asarray(nibabel.nifti1.load(path).get_fdata())
