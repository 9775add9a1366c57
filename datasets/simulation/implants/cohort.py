"""write_implants: a cohort of known lesions in healthy scans, in the prepared layout."""

import logging
import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import new_folder
from datasets.io.nifti import StoredVolume, Volume, read_volume, write_volume
from datasets.io.tables import write_table
from datasets.simulation.implants.blending import HostImage, add_lesion, add_seam, host_image
from datasets.simulation.implants.design import Design, Treatment
from datasets.simulation.implants.placement import LesionPlacement, place_lesion
from datasets.simulation.implants.shapes import SHAPES, Library, Shape
from datasets.simulation.implants.tissue import Tissues, segment_tissues
from datasets.simulation.implants.truth import Truth
from datasets.spec import DatasetSpec, folder_name
from datasets.words import count_text

SHARPEST_MM, SOFTEST_MM = 2.0, 12.0  # width of a lesion's edge; never more than its radius
log = logging.getLogger(__name__)
CASE_COLUMNS = ("case_id", "subject_id", "split", "sequences", "site", "healthy", "host", "licence")
Row = Mapping[str, object]


@dataclass(frozen=True)
class Host:
    """A healthy scan to be given lesions: its files by sequence."""

    files: Mapping[str, CaseFiles]

    @property
    def first(self) -> CaseFiles:
        return next(iter(self.files.values()))


def write_implants(
    out: Path,
    base: DatasetSpec,
    data: Path,
    *,
    design: Design | None = None,
    library: Library | None = None,
) -> Path:
    """Write `implant[<base>]` below `out`, from the healthy test scans of `base` below `data`.

    Every subject gives one host, itself a healthy case of the new cohort, and one case per treatment. A case depends
    only on its host, its treatment and the design's seed, not on the number of cases. `lesions.csv` holds the truth of
    every lesion; the column `host` of `cases.csv` names the scan without it. The folder appears when it is complete.

    Args:
        library: lesion masks instead of parametric shapes.

    Returns:
        The cohort's folder.

    Raises:
        MissingData: the cohort does not exist.
        BadValue: it has no healthy test scan, or the folder exists already.
        BadFile: a scan cannot be used.
        OSError: `out` cannot be written to.
    """
    design = design or Design()
    hosts = find_hosts(base, data)[: design.subjects]
    folder = out / folder_name(f"implant[{base.name}]")
    with new_folder(folder) as cohort:
        rows, truths = list[Row](), list[Truth]()
        for number, host in enumerate(hosts):
            new_rows, new_truths = _write_subject(cohort, base, host, design.treatments(number), design.seed, library)
            rows += new_rows
            truths += new_truths
            log.info("[%d/%d] %s: %s", number + 1, len(hosts), host.first.case_id, count_text(len(new_truths), "case"))
        write_table(cohort / "cases.csv", CASE_COLUMNS, rows)
        write_table(cohort / "lesions.csv", [field.name for field in fields(Truth)], (vars(one) for one in truths))
    return folder


def find_hosts(base: DatasetSpec, data: Path) -> list[Host]:
    """One healthy test scan per subject, in the order of a hash, so that the first few represent all.

    Raises:
        MissingData, BadFile: the cohort does not exist, or its table cannot be used.
        BadValue: it has no healthy test scan.
    """
    by_case: dict[str, dict[str, CaseFiles]] = {}
    subjects: dict[str, str] = {}
    trouble: MissingData | None = None
    for sequence in base.sequences:
        try:
            found = base.files(data, sequence)
        except MissingData as error:
            trouble = trouble or error
            continue
        for one in found:
            if one.healthy and one.split == "test":
                by_case.setdefault(one.case_id, {})[sequence] = one
                subjects[one.subject_id] = min(one.case_id, subjects.get(one.subject_id, one.case_id))
        trouble = None if found else trouble
    if not by_case and trouble is not None:
        raise trouble
    if not by_case:
        raise BadValue(
            f"implant[{base.name}]: got no healthy test scan in {base.folder(data)}, expected some as hosts."
        )
    order = sorted(subjects, key=lambda subject: sha256(subject.encode()).digest())
    return [Host(by_case[subjects[subject]]) for subject in order]


def _write_subject(
    folder: Path,
    base: DatasetSpec,
    host: Host,
    treatments: Sequence[Treatment],
    seed: int,
    library: Library | None,
) -> tuple[list[Row], list[Truth]]:
    head = _read_head(host)
    case_id = host.first.case_id
    _copy_host(folder, host)
    rows, truths = [_case_row(base, host, case_id, None)], list[Truth]()
    for treatment in treatments:
        name = f"{case_id}_{treatment.name}"
        rng = np.random.default_rng([seed, zlib.crc32(case_id.encode()), zlib.crc32(treatment.name.encode())])
        truths.append(_write_case(folder, head, host, treatment, name, library, rng))
        rows.append(_case_row(base, host, name, case_id))
    return rows, truths


@dataclass(frozen=True)
class HostVoxels:
    """A host's voxels.

    Attributes:
        stored: each sequence's file, for its affine and voxel type.
    """

    tissues: Tissues
    images: Mapping[str, HostImage]
    stored: Mapping[str, StoredVolume]


def _read_head(host: Host) -> HostVoxels:
    stored = {sequence: read_volume(one.image, as_stored=True) for sequence, one in host.files.items()}
    mask = read_volume(host.first.brain_mask, as_stored=True)
    images = {sequence: volume.data for sequence, volume in stored.items()}
    brain_mask = np.asarray(mask.data > 0.5)
    for sequence, image in images.items():
        if image.shape != brain_mask.shape:
            path = host.files[sequence].image
            raise BadFile(f"{path}: got shape {image.shape}, expected {brain_mask.shape} as of the brain mask.")
    x, y, z = mask.spacing.tolist()
    try:
        tissues = segment_tissues(images, brain_mask, (x, y, z))
        return HostVoxels(tissues, {name: host_image(image, tissues) for name, image in images.items()}, stored)
    except BadFile as error:
        raise BadFile(f"{host.first.image}: {error}") from error


def _copy_host(folder: Path, host: Host) -> None:
    """Copy the scan itself, a healthy case of the cohort, and its masks."""
    for sequence, one in host.files.items():
        _copy(one.image, folder / sequence / f"{one.case_id}.nii.gz")
    for kind, mask in _masks(host).items():
        _copy(mask, folder / kind / f"{host.first.case_id}.nii.gz")


def _masks(host: Host) -> Mapping[str, Path]:
    """Those that its implants share."""
    ignored = {"ignore_mask": host.first.ignore_mask} if host.first.ignore_mask else {}
    return {"brain_mask": host.first.brain_mask, **ignored}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)


def _write_case(
    folder: Path,
    head: HostVoxels,
    host: Host,
    treatment: Treatment,
    name: str,
    library: Library | None,
    rng: np.random.Generator,
) -> Truth:
    shape, family = _draw_family(treatment, library, rng)
    placed = place_lesion(
        head.tissues,
        family,
        volume_ml=treatment.volume_ml,
        place=treatment.place,
        edge_mm=_edge_mm(treatment.volume_ml, rng),
        rng=rng,
    )
    seed = int(rng.integers(2**31))
    realised = {}
    for sequence, image in head.images.items():
        path = folder / sequence / f"{name}.nii.gz"
        if treatment.kind == "zero":
            _copy(host.files[sequence].image, path)
            realised[sequence] = 0.0
        else:
            written = _written(_treated(image, placed, treatment, seed), image, placed, head.stored[sequence], path)
            realised[sequence] = float((written - image.image)[placed.lesion_mask].mean() / image.step)
    for kind in _masks(host):
        _link(folder / kind / f"{host.first.case_id}.nii.gz", folder / kind / f"{name}.nii.gz")
    affine = next(iter(head.stored.values())).affine
    write_volume(folder / "lesion_mask" / f"{name}.nii.gz", Volume(placed.lesion_mask, affine))
    return _truth(name, host, treatment, shape, placed, head, next(iter(realised.values())))


def _edge_mm(volume_ml: float, rng: np.random.Generator) -> float:
    """Width of a lesion's edge, log-uniform."""
    softest = np.clip(np.cbrt(volume_ml * 1000 * 3 / 4 / np.pi), SHARPEST_MM, SOFTEST_MM)
    return float(SHARPEST_MM * (softest / SHARPEST_MM) ** rng.uniform())


def _draw_family(treatment: Treatment, library: Library | None, rng: np.random.Generator) -> tuple[str, Shape]:
    if library is not None:
        mask = library.draw(treatment.volume_ml, rng)
        return mask.name, mask.depth
    shape = sorted(SHAPES)[int(rng.integers(len(SHAPES)))]
    return shape, SHAPES[shape]


def _treated(image: HostImage, placed: LesionPlacement, treatment: Treatment, seed: int) -> NDArray[np.float32]:
    if treatment.kind == "seam":
        return add_seam(image, placed, seed=seed)
    return add_lesion(image, placed, contrast=treatment.contrast, texture=treatment.texture, seed=seed)


def _written(
    changed: NDArray[np.float32], image: HostImage, placed: LesionPlacement, stored: StoredVolume, path: Path
) -> NDArray[np.float32]:
    """Save a changed image in its host's voxel type; returns the saved values."""
    kind = stored.data.dtype
    brain = image.image[image.tissues.brain_mask]
    floor = min(float(brain.min()), 0.02 * float(np.median(brain)))  # dark, but not background
    ceiling = float(np.iinfo(kind).max) if kind.kind in "ui" else np.inf
    touched = placed.share > 0
    values = np.where(touched, np.clip(changed, np.minimum(floor, image.image), ceiling), image.image)
    if kind.kind in "ui":
        values = np.round(values)
    write_volume(path, Volume(values.astype(kind), stored.affine))
    return values.astype(np.float32)


def _link(source: Path, target: Path) -> None:
    """Share the host's mask by a hard link, or copy it if the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _truth(
    name: str, host: Host, treatment: Treatment, shape: str, placed: LesionPlacement, head: HostVoxels, realised: float
) -> Truth:
    affine = next(iter(head.stored.values())).affine
    x, y, z = (float(round(value, 1)) for value in affine[:3, :3] @ placed.centre + affine[:3, 3])
    return Truth(
        case_id=name,
        host=host.first.case_id,
        kind=treatment.kind,
        volume_ml=treatment.volume_ml,
        contrast=treatment.contrast,
        texture=treatment.texture,
        place=treatment.place,
        shape=shape,
        measured_ml=round(float(placed.lesion_mask.sum()) * head.tissues.voxel_ml, 4),
        realised_contrast=round(realised, 4),
        x=x,
        y=y,
        z=z,
    )


def _case_row(base: DatasetSpec, host: Host, case_id: str, host_id: str | None) -> Row:
    return {
        "case_id": case_id,
        "subject_id": host.first.subject_id,
        "split": "test",
        "sequences": " ".join(host.files),
        "site": host.first.site,
        "healthy": "yes" if host_id is None else "no",
        "host": host_id or "",
        "licence": base.licence,
    }
