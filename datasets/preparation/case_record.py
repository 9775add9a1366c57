"""CaseRecord: what a prepared case was made from. Files are renamed into place, and the JSON record comes last."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from datasets.case import RawCase
from datasets.io.atomic import write_text
from datasets.io.files import Stamp, stamp, unchanged
from datasets.io.nifti import Volume, write_rounded, write_volume
from datasets.preparation.lesions import LesionVolumes
from datasets.preparation.scan import PIPELINE, PreparedScan, Setup

RECORDS = "records"
OPTIONAL_MASKS = ("lesion_mask", "ignore_mask")


@dataclass(frozen=True)
class CaseRecord:
    """Content of `records/<case_id>.json`.

    Attributes:
        key: hash of everything the voxels depend on except the content of the input files.
        inputs, outputs: by path; outputs relative to the cohort's folder.
        sequences: those prepared.
        to_scan: per sequence the `(4, 4)` matrix from the template's mm to the download's.
        overlap: Dice of the brain with the template's.
        lesion: its volumes in ml; None for a healthy case.
    """

    case_id: str
    subject_id: str
    key: str
    inputs: Mapping[str, Stamp]
    outputs: Mapping[str, Stamp]
    sequences: tuple[str, ...]
    to_scan: Mapping[str, list[list[float]]]
    brain_ml: float
    overlap: float
    lesion: LesionVolumes | None
    seconds: Mapping[str, float]
    warnings: tuple[str, ...]


def case_key(raw: RawCase, setup: Setup) -> str:
    """Twelve hexadecimal digits of the hash of all choices for a case."""
    stripper = setup.stripper
    strips = raw.brain_mask is None and not raw.stripped
    whole = {
        "pipeline": PIPELINE,
        "parameters": asdict(setup.parameters),
        "template": setup.template.sha256,
        "stripper": [stripper.name, stripper.version, _own_command(stripper.command)] if strips else None,
        "case": [raw.drawn_on, raw.space, raw.stripped, raw.corrected, raw.aligned, raw.labels and asdict(raw.labels)],
        "files": {role: str(path) for role, path in input_files(raw).items()},
    }
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]


def input_files(raw: RawCase) -> dict[str, Path]:
    """The files of a download that are read for one case, by role."""
    files = dict(raw.images)
    files |= {"lesion_mask": raw.lesion_mask} if raw.lesion_mask else {}
    return files | ({"brain_mask": raw.brain_mask} if raw.brain_mask else {})


def find_record(home: Path, raw: RawCase, setup: Setup) -> CaseRecord | None:
    """The record of a case that is already prepared; None if it has to be prepared."""
    record = read_record(home, raw.case_id)
    if record is None or record.key != case_key(raw, setup):
        return None
    inputs = {str(path) for path in input_files(raw).values()}
    fresh = inputs == set(record.inputs) and all(unchanged(Path(path), kept) for path, kept in record.inputs.items())
    return record if fresh and all(unchanged(home / path, kept) for path, kept in record.outputs.items()) else None


def read_record(home: Path, case_id: str) -> CaseRecord | None:
    """The stored record of a case; None if there is none, or if it cannot be read."""
    from pydantic import TypeAdapter

    with suppress(OSError, ValueError):
        return TypeAdapter(CaseRecord).validate_json(_path(home, case_id).read_bytes())
    return None


def discard_record(home: Path, case_id: str) -> None:
    """Remove a case's record: without it the case does not count as prepared."""
    _path(home, case_id).unlink(missing_ok=True)


def store_case(home: Path, scratch: Path, raw: RawCase, setup: Setup, scan: PreparedScan) -> CaseRecord:
    """Write a case's files into `scratch`, on the same disk as `home`, rename them into place and record them.

    Args:
        raw: as in the download, before unpacking.
    """
    inputs = {str(path): stamp(path) for path in input_files(raw).values()}
    written = _write(scratch, raw.case_id, scan)
    discard_record(home, raw.case_id)
    for mask in OPTIONAL_MASKS:  # of an earlier preparation
        (home / mask / f"{raw.case_id}.nii.gz").unlink(missing_ok=True)
    for path in written:
        place = home / path.relative_to(scratch)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    record = CaseRecord(
        case_id=raw.case_id,
        subject_id=raw.subject_id,
        key=case_key(raw, setup),
        inputs=inputs,
        outputs={path.relative_to(scratch).as_posix(): stamp(home / path.relative_to(scratch)) for path in written},
        sequences=tuple(scan.images),
        to_scan={name: matrix.round(9).tolist() for name, matrix in scan.to_scan.items()},
        brain_ml=round(scan.brain_ml, 3),
        overlap=round(scan.overlap, 4),
        lesion=scan.lesion,
        seconds=scan.seconds,
        warnings=scan.warnings,
    )
    write_text(_path(home, raw.case_id), json.dumps(asdict(record), indent=1) + "\n")
    return record


def _write(scratch: Path, case_id: str, scan: PreparedScan) -> list[Path]:
    affine, name = scan.lattice.affine, f"{case_id}.nii.gz"
    masks: dict[str, Any] = {"brain_mask": scan.brain_mask}
    masks |= {kind: mask for kind in OPTIONAL_MASKS if (mask := getattr(scan, kind)) is not None}
    for sequence, image in scan.images.items():
        write_rounded(scratch / sequence / name, Volume(image, affine))
    for kind, mask in masks.items():
        write_volume(scratch / kind / name, Volume(mask, affine))
    return [scratch / kind / name for kind in (*scan.images, *masks)]


def _own_command(command: tuple[str, ...]) -> list[str]:
    """The command without folders: where a program lies changes no mask."""
    return [Path(word).name for word in command]


def _path(home: Path, case_id: str) -> Path:
    return home / RECORDS / f"{case_id}.json"
