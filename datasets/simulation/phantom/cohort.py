"""write_phantom: a simulated cohort in the prepared layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadValue, UnknownName
from datasets.io.atomic import new_folder
from datasets.io.nifti import Volume, write_volume
from datasets.io.tables import write_table
from datasets.simulation.phantom.lesions import Lesion
from datasets.simulation.phantom.signals import PROTOCOLS
from datasets.simulation.phantom.subject import FAMILIES, PLAIN, PhantomSubject, SubjectNumber, draw_subject
from datasets.words import count_text

LICENCE = (
    "MNI ICBM 152 template licence (free to use, copy, modify and distribute with this notice: Copyright (C) 1993-2004 "
    "Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University)"
)
HEALTHY_CASES = 24
CASE_COLUMNS = ("case_id", "subject_id", "split", "sequences", "site", "age", "sex", "healthy", "licence")
LESION_COLUMNS = (
    *("case_id", "lesion", "volume_ml", "contrast", "x", "y", "z", "place", "displacement_mm", "ignored"),
    *(f"{sequence}_to_white" for sequence in PROTOCOLS),
)
Row = Mapping[str, str | float | int]


def cohort_name(variant: str) -> str:
    return "phantom" if variant == PLAIN else f"phantom-{variant}"


def write_phantom(
    root: Path,
    *,
    variant: str = PLAIN,
    healthy: int | None = None,
    lesion: int | None = None,
    spacing: float = 2.0,
    seed: int = 0,
    with_healthy: bool = False,
    with_ignored: bool = False,
    replace: bool = False,
) -> None:
    """Simulate a cohort into `<root>/phantom` or `<root>/phantom-<variant>`; less than two seconds a case at 2 mm.

    A case depends only on its variant, its number, `spacing` and `seed`, not on the number of cases. `lesions.csv`
    holds the truth: every lesion's volume, contrast, centre, place and signal relative to white matter. The folder
    appears when it is complete.

    Args:
        variant: one of `FAMILIES`; only the plain one has healthy cases.
        healthy, lesion: number of cases; of six consecutive healthy ones four are for training and one each for
            validation and test; lesion cases alternate between validation and test.
        spacing: voxel edge in mm, from 1 to 8.
        with_healthy: also write every lesion case as it would be without lesions, into
            `healthy/<sequence>/<case_id>.nii.gz`.
        with_ignored: take the second largest lesion of each case with several out of its lesion mask, into
            `ignore_mask/<case_id>.nii.gz`, as other pathology that no score counts; the images are the same.
        replace: whether a phantom that is there already gives way once the new one is complete.

    Raises:
        UnknownName: there is no such variant.
        BadValue: the folder exists already, or a number is out of range.
        OSError: `root` cannot be written to.
    """
    if variant not in FAMILIES:
        raise UnknownName("variant of the phantom", variant, FAMILIES)
    numbers = _numbers(variant, healthy, lesion)
    _check(spacing, seed)
    with new_folder(root / cohort_name(variant), replace=replace) as cohort:
        _write_cohort(cohort, numbers, spacing, seed, with_healthy=with_healthy, with_ignored=with_ignored)


def _numbers(variant: str, healthy: int | None, lesion: int | None) -> list[SubjectNumber]:
    """Healthy subjects first."""
    plain = variant == PLAIN
    healthy = (HEALTHY_CASES if plain else 0) if healthy is None else healthy
    lesion = FAMILIES[variant].cases if lesion is None else lesion
    if healthy and not plain:
        raise BadValue(
            f"{cohort_name(variant)}: got {count_text(healthy, 'healthy case')}, "
            "expected 0: healthy ones are in phantom."
        )
    if healthy < 0 or lesion < 0 or healthy + lesion == 0:
        raise BadValue(
            f"Phantom: got {healthy} healthy and {count_text(lesion, 'lesion case')}, "
            "expected at least one, none negative."
        )
    return [SubjectNumber(True, index) for index in range(healthy)] + [
        SubjectNumber(False, index, variant) for index in range(lesion)
    ]


def _check(spacing: float, seed: int) -> None:
    if not 1 <= spacing <= 8:
        raise BadValue(f"Phantom: got spacing {spacing:g} mm, expected 1 to 8.")
    if seed < 0:
        raise BadValue(f"Phantom: got seed {seed}, expected 0 or more.")


def _write_cohort(
    folder: Path,
    numbers: Sequence[SubjectNumber],
    spacing: float,
    seed: int,
    *,
    with_healthy: bool,
    with_ignored: bool,
) -> None:
    (folder / "LICENCE.txt").write_text(f"{LICENCE}\n", encoding="utf-8")
    lesion_rows: list[Row] = []
    case_rows: list[Row] = []
    for number in numbers:
        subject = draw_subject(number, spacing=spacing, seed=seed)
        ignored = subject.lesions.second_largest if with_ignored else None
        _write_case(folder, subject, ignored)
        if with_healthy and not number.healthy:
            _write_volumes(folder / "healthy", subject, subject.without_lesions().scan())
        lesion_rows += _lesion_rows(subject, ignored)
        case_rows.append(_case_row(subject))
    write_table(folder / "lesions.csv", LESION_COLUMNS, lesion_rows)
    write_table(folder / "cases.csv", CASE_COLUMNS, case_rows)


def _write_case(folder: Path, subject: PhantomSubject, ignored: int | None) -> None:
    """`ignored` is the label of a lesion that no score is to count."""
    volumes: dict[str, NDArray[np.generic]] = {**subject.scan(), "brain_mask": subject.anatomy.brain_mask}
    if not subject.number.healthy:
        volumes["lesion_mask"] = subject.lesions.lesion_mask
    if ignored is not None:
        ignore_mask = subject.lesions.labels == ignored
        volumes |= {"ignore_mask": ignore_mask, "lesion_mask": subject.lesions.lesion_mask & ~ignore_mask}
    if subject.lesions.regions is not None:
        volumes["regions"] = subject.lesions.regions
    _write_volumes(folder, subject, volumes)


def _write_volumes(folder: Path, subject: PhantomSubject, volumes: Mapping[str, NDArray[np.generic]]) -> None:
    for kind, volume in volumes.items():
        path = folder / kind / f"{subject.number.case_id}.nii.gz"
        write_volume(path, Volume(volume, subject.anatomy.lattice.affine), np.uint8)


def _case_row(subject: PhantomSubject) -> Row:
    number = subject.number
    return {
        "case_id": number.case_id,
        "subject_id": number.case_id,
        "split": number.split,
        "sequences": " ".join(PROTOCOLS),
        "site": "simulated",
        "age": subject.person.age,
        "sex": subject.person.sex,
        "healthy": "yes" if number.healthy else "no",
        "licence": "MNI ICBM 152 (LICENCE.txt)",
    }


def _lesion_rows(subject: PhantomSubject, ignored: int | None) -> list[Row]:
    signals = subject.lesion_to_white()
    return [
        _lesion_row(subject.number.case_id, count, lesion)
        | {"ignored": "yes" if count == ignored else "no"}
        | {f"{name}_to_white": round(x, 3) for name, x in own.items()}
        for count, (lesion, own) in enumerate(zip(subject.lesions.table, signals, strict=True), 1)
    ]


def _lesion_row(case_id: str, count: int, lesion: Lesion) -> dict[str, str | float | int]:
    x, y, z = lesion.centre
    return {
        "case_id": case_id,
        "lesion": count,
        "volume_ml": round(lesion.volume_ml, 3),
        "contrast": round(lesion.contrast, 3),
        "x": round(x, 1),
        "y": round(y, 1),
        "z": round(z, 1),
        "place": lesion.place,
        "displacement_mm": round(lesion.displacement_mm, 2),
    }
