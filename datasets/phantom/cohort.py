"""write_phantom: a simulated cohort in the prepared layout."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np

from datasets.errors import BadValue
from datasets.phantom.lesions import Lesion
from datasets.phantom.signals import PROTOCOLS
from datasets.phantom.subject import Subject, SubjectNumber, draw_subject

NAME = "phantom"
LICENCE = (
    "MNI ICBM 152 template licence (free to use, copy, modify and distribute with this notice: Copyright (C) 1993-2004 "
    "Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University)"
)
Row = Mapping[str, str | float | int]


def write_phantom(root: Path, *, healthy: int = 24, lesion: int = 8, spacing: float = 2.0, seed: int = 0) -> None:
    """Simulate a cohort into `<root>/phantom`; below a second a case at 2 mm.

    A case depends on its own number, `spacing` and `seed` alone, not on how many there are.
    `lesions.csv` holds the truth: every lesion's volume, contrast and centre. The folder appears
    when it is complete.

    Args:
        healthy, lesion: number of cases; of six healthy ones in a row four are for training and
            one each for validation and test; lesion cases take turns between validation and test.
        spacing: voxel edge in mm, from 1 to 8.

    Raises:
        BadValue: there is such a folder already, or a number is outside its range.
    """
    _check(healthy, lesion, spacing, seed)
    folder = root / NAME
    _refuse_existing(folder)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=f".{NAME}-") as unfinished:
        cohort = Path(unfinished) / NAME
        cohort.mkdir()
        _write_cohort(cohort, _numbers(healthy, lesion), spacing, seed)
        _refuse_existing(folder)
        cohort.rename(folder)


def _check(healthy: int, lesion: int, spacing: float, seed: int) -> None:
    if healthy < 0 or lesion < 0 or healthy + lesion == 0:
        raise BadValue(f"Phantom: got {healthy} healthy and {lesion} lesion cases, wanted at least one, none negative.")
    if not 1 <= spacing <= 8:
        raise BadValue(f"Phantom: got spacing {spacing:g} mm, wanted 1 to 8.")
    if seed < 0:
        raise BadValue(f"Phantom: got seed {seed}, wanted 0 or more.")


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise BadValue(f"{folder} is there already and is not overwritten; remove it or choose another folder.")


def _numbers(healthy: int, lesion: int) -> list[SubjectNumber]:
    return [SubjectNumber(True, index) for index in range(healthy)] + [
        SubjectNumber(False, index) for index in range(lesion)
    ]


def _write_cohort(folder: Path, numbers: Sequence[SubjectNumber], spacing: float, seed: int) -> None:
    (folder / "LICENCE.txt").write_text(f"{LICENCE}\n", encoding="utf-8")
    lesion_rows: list[Row] = []
    for number in numbers:
        subject = draw_subject(number, spacing=spacing, seed=seed)
        _write_case(folder, subject)
        lesion_rows += _lesion_rows(subject)
    _write_table(folder / "lesions.csv", ("case_id", "lesion", "volume_ml", "contrast", "x", "y", "z"), lesion_rows)
    columns = ("case_id", "subject_id", "split", "sequences", "site", "healthy", "licence")
    _write_table(folder / "cases.csv", columns, map(_case_row, numbers))


def _write_case(folder: Path, subject: Subject) -> None:
    volumes = dict(subject.scan()) | {"brain_mask": subject.anatomy.brain_mask}
    if not subject.number.healthy:
        volumes["lesion_mask"] = subject.lesions.lesion_mask
    for kind, volume in volumes.items():
        image = nibabel.Nifti1Image(volume.astype(np.uint8), subject.anatomy.lattice.affine)
        image.header.set_xyzt_units("mm")
        (folder / kind).mkdir(exist_ok=True)
        image.to_filename(folder / kind / f"{subject.number.case_id}.nii.gz")


def _case_row(number: SubjectNumber) -> Row:
    return {
        "case_id": number.case_id,
        "subject_id": number.case_id,
        "split": number.split,
        "sequences": " ".join(PROTOCOLS),
        "site": "simulated",
        "healthy": "yes" if number.healthy else "no",
        "licence": "MNI ICBM 152 (LICENCE.txt)",
    }


def _lesion_rows(subject: Subject) -> list[Row]:
    return [_lesion_row(subject.number.case_id, count, lesion) for count, lesion in enumerate(subject.lesions.table, 1)]


def _lesion_row(case_id: str, count: int, lesion: Lesion) -> Row:
    x, y, z = lesion.centre
    return {
        "case_id": case_id,
        "lesion": count,
        "volume_ml": round(lesion.volume_ml, 3),
        "contrast": round(lesion.contrast, 3),
        "x": round(x, 1),
        "y": round(y, 1),
        "z": round(z, 1),
    }


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
