"""examine: read one case once, check it, and reduce it to what comparisons between cases need."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.audit.duplicates import Fingerprint, signature
from datasets.audit.finding import Finding, unreadable_file
from datasets.audit.volumes import (
    Observation,
    brain_findings,
    geometry_findings,
    grid_of,
    ignored_findings,
    intensity_findings,
    lesion_findings,
    value_findings,
)
from datasets.case import BINARY, CaseFiles, Labels
from datasets.errors import BadVolume, UserError
from datasets.grid import Grid
from datasets.io.labels import FILE, split_labels, union
from datasets.io.nifti import StoredVolume, check_same_grid, read_volume
from datasets.loading import INSIDE_ABOVE, intensity_window
from datasets.sampling import Sampler

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """One case of a cohort, all of its sequences together.

    Attributes:
        images: the case's files by sequence; all share their masks.
        compared: whether similarity to other scans is meaningful; not among simulated brains.
        grid: of the study, for defects that show only there; None without a study.
    """

    cohort: str
    images: Mapping[str, CaseFiles]
    compared: bool = True
    grid: Grid | None = None

    @property
    def files(self) -> CaseFiles:
        return next(iter(self.images.values()))


@dataclass(frozen=True)
class SampledLesion:
    """A lesion inside the box of a study's grid: its ml in the scan, and on the grid, where 0 is lost."""

    scan_ml: float
    grid_ml: float


@dataclass(frozen=True)
class CaseAudit:
    """What an audit keeps of a case.

    Attributes:
        grid: its shape and spacing; None if no image could be read.
        lesions: on the grid of the study; none without a study.
    """

    case_id: str
    findings: tuple[Finding, ...]
    scans: tuple[Fingerprint, ...]
    grid: tuple[object, ...] | None
    lesions: tuple[SampledLesion, ...] = ()


def examine(case: Candidate) -> CaseAudit:
    """Read every file of a case; a file that cannot be read is a finding, and the others are checked."""
    findings = list[Finding]()
    images = {name: _read(case, files.image, findings) for name, files in case.images.items()}
    there = {name: image for name, image in images.items() if image is not None}
    first = next(iter(there.values()), None)
    brain = _mask(case, case.files.brain_mask, first, findings)
    lesion, ignored = _labelled(case, first, findings)
    _same_grids(case, there, first, findings)
    if brain is not None and first is not None:
        ml = float(np.prod(first.spacing)) / 1000
        findings += _findings(case, case.files.brain_mask, brain_findings(brain, first.data, ml))
        if lesion is not None and case.files.lesion_mask is not None:
            findings += _findings(case, case.files.lesion_mask, lesion_findings(lesion, brain, ml))
        if ignored is not None:
            path = case.files.ignore_mask or case.files.lesion_mask or case.files.image
            findings += _findings(case, path, ignored_findings(ignored, lesion, brain, ml))
    scans = list[Fingerprint]()
    for name, image in there.items():
        findings += _findings(case, image.path, geometry_findings(image))
        whole = brain if brain is not None and brain.shape == image.data.shape else None
        told = list(intensity_findings(image.data, np.ones(image.data.shape, bool) if whole is None else whole))
        findings += _findings(case, image.path, told)
        if whole is not None and not any(severity == "error" for severity, *_ in told):
            findings += _in_box(case, name, image, whole)
        if np.ptp(image.data) > 0:  # constant ones are no copies of each other
            scans.append(_scan(case, name, image, whole))
    lesions = () if lesion is None or first is None else _sampled(case, lesion, first)
    grid = None if first is None else grid_of(first)
    return CaseAudit(case.files.case_id, tuple(findings), tuple(scans), grid, lesions)


def _read(case: Candidate, path: Path, findings: list[Finding]) -> StoredVolume | None:
    try:
        return read_volume(path)
    except UserError as error:
        findings.append(unreadable_file(case.cohort, case.files.case_id, str(path), error))
        return None


def _mask(case: Candidate, path: Path | None, image: StoredVolume | None, findings: list[Finding]) -> Mask | None:
    """A mask of one label; None if there is none, or it cannot be read or is off the image's grid."""
    mask = None if path is None else _on_grid(case, path, image, findings)
    if path is None or mask is None:
        return None
    findings += _findings(case, path, value_findings(mask))
    return np.asarray(mask.data > INSIDE_ABOVE)


def _labelled(case: Candidate, image: StoredVolume | None, findings: list[Finding]) -> tuple[Mask | None, Mask | None]:
    """What is lesion, and what is to be ignored by its label or the mask of its own; None as of `_mask`."""
    files = case.files
    lesion, by_label = _split(case, files.lesion_mask, image, findings, files.labels)
    by_mask, _ = _split(case, files.ignore_mask, image, findings, BINARY)
    return lesion, union(by_label, by_mask)


def _split(
    case: Candidate, path: Path | None, image: StoredVolume | None, findings: list[Finding], labels: Labels
) -> tuple[Mask | None, Mask | None]:
    """`split_labels` of a file; a label that is not declared is a finding."""
    mask = None if path is None else _on_grid(case, path, image, findings)
    if path is None or mask is None:
        return None, None
    try:
        found = split_labels(path, mask.data, labels, mask.lattice.voxel_ml)
    except BadVolume as error:
        expected = f"{error.expected}; what else there is has to be declared in {FILE}"
        findings += _findings(case, path, [("error", error.code, error.got, expected)])
        return None, None
    if labels == BINARY:
        findings += _findings(case, path, value_findings(mask))
    return found


def _on_grid(case: Candidate, path: Path, image: StoredVolume | None, findings: list[Finding]) -> StoredVolume | None:
    """None if the file cannot be read or is off the image's grid."""
    mask = _read(case, path, findings)
    try:
        if mask is not None and image is not None:
            check_same_grid(mask, image)
    except UserError as error:
        findings.append(unreadable_file(case.cohort, case.files.case_id, str(path), error))
        return None
    return mask


def _same_grids(
    case: Candidate, images: Mapping[str, StoredVolume], first: StoredVolume | None, findings: list[Finding]
) -> None:
    for image in images.values():
        try:
            if first is not None:
                check_same_grid(image, first)
        except UserError as error:
            findings.append(unreadable_file(case.cohort, case.files.case_id, str(image.path), error))


def _in_box(case: Candidate, name: str, image: StoredVolume, brain: Mask) -> list[Finding]:
    """Defects that show only on the grid of a study."""
    if case.grid is None or not brain.any():
        return []
    inside = Sampler.of(image.data.shape, image.spacing, case.grid).inside
    try:
        intensity_window(image.data, brain, inside, case.grid.percentiles, case.images[name])
    except UserError as error:
        return [unreadable_file(case.cohort, case.files.case_id, str(image.path), error)]
    return []


def _sampled(case: Candidate, lesion: Mask, image: StoredVolume) -> tuple[SampledLesion, ...]:
    if case.grid is None:
        return ()
    found = Sampler.of(lesion.shape, image.spacing, case.grid).components(lesion).components
    scan_ml, grid_ml = float(np.prod(image.spacing)) / 1000, case.grid.spacing**3 / 1000
    return tuple(SampledLesion(one.volume * scan_ml, one.voxels * grid_ml) for one in found)


def _scan(case: Candidate, sequence: str, image: StoredVolume, brain: Mask | None) -> Fingerprint:
    files = case.files
    comparable = case.compared and brain is not None and bool(brain.any())
    return Fingerprint(
        cohort=case.cohort,
        case_id=files.case_id,
        subject_id=files.subject_id,
        split=files.split,
        sequence=sequence,
        content=_content_hash(image),
        signature=signature(image.data, brain, image.spacing) if comparable and brain is not None else None,
    )


def _content_hash(image: StoredVolume) -> str:
    """Hash of shape and voxels, independent of voxel type and compression."""
    whole = hashlib.blake2b(str(image.data.shape).encode(), digest_size=16)
    whole.update(np.ascontiguousarray(image.data, dtype=np.float32).data)
    return whole.hexdigest()


def _findings(case: Candidate, path: Path, told: Iterable[Observation]) -> list[Finding]:
    whose = (case.files.case_id,)
    return [
        Finding(severity, code, case.cohort, whose, got, expected, str(path), "partial" if severity == "error" else "")
        for severity, code, got, expected in told
    ]
