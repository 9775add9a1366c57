"""Geometry: what a header says of a volume's place that a reader could take in two ways."""

from collections import Counter
from collections.abc import Iterator, Mapping

import nibabel
import numpy as np

from datasets.audit.finding import Finding, Severity
from datasets.io.nifti import Volume

LEAST_EDGE, MOST_EDGE = 0.2, 8.0  # mm; beyond them the unit is in doubt
OBLIQUE = 5.0  # degrees; the common grid cuts along the voxel axes
APART = 1.0  # mm between what sform and qform make of a corner
Told = tuple[Severity, str, str, str]


def geometry_findings(volume: Volume) -> Iterator[Told]:
    """Severity, code, what was got and what was wanted, for one image."""
    yield from _orientation(volume)
    spacing = volume.spacing
    if spacing.min() < LEAST_EDGE or spacing.max() > MOST_EDGE:
        yield "warning", "odd-spacing", f"spacing {_mm(spacing)}", f"{LEAST_EDGE:g} to {MOST_EDGE:g} mm"
    stored = np.sort(np.asarray(volume.header["pixdim"][1:4], dtype=np.float64))
    if not np.allclose(stored, np.sort(spacing), rtol=0.01):
        got = f"spacing {_mm(stored)} in the header and {_mm(np.sort(spacing))} in the affine"
        yield "warning", "spacing-disagrees", got, "the same in both"
    turned = np.degrees(np.arccos(np.clip(np.abs(np.diag(volume.affine[:3, :3] / spacing)), 0, 1))).max()
    if turned > OBLIQUE:
        yield "warning", "oblique", f"axes turned by {turned:.0f} degrees", f"at most {OBLIQUE:g}, or resample it"


def mixed_grids(shapes: Mapping[str, tuple[object, ...]], cohort: str) -> list[Finding]:
    """Cases on another grid than most: the common box is centred on each volume's centre."""
    counted = Counter(shapes.values())
    if len(counted) < 2:
        return []
    usual = counted.most_common(1)[0][0]
    odd = tuple(case for case, shape in shapes.items() if shape != usual)
    got = f"{len(counted)} grids, e.g. {_grid(shapes[odd[0]])}"
    return [Finding("warning", "mixed-grids", cohort, odd, got, f"{_grid(usual)} as most have")]


def grid_of(volume: Volume) -> tuple[object, ...]:
    """Shape and spacing, to be compared."""
    return (*volume.data.shape, *(round(float(edge), 2) for edge in volume.spacing))


def _orientation(volume: Volume) -> Iterator[Told]:
    header = volume.header
    q, s = int(header["qform_code"]), int(header["sform_code"])
    if not q and not s:
        yield "warning", "no-orientation", "no orientation in the header (qform and sform code 0)", "one of them set"
        return
    affine = header.get_best_affine()
    code = "".join(nibabel.aff2axcodes(affine))
    if code != "RAS":
        yield "note", "not-ras", f"orientation {code}, which is turned when it is read", "RAS"
    if not (q and s):
        return
    other = header.get_qform()
    if not np.isfinite(other).all():
        yield "warning", "forms-disagree", "a qform that is not finite beside the sform", "one place"
        return
    corners = np.array([[x, y, z, 1.0] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] *= np.asarray(header.get_data_shape()[:3]) - 1
    apart = float(np.abs(corners @ (affine - other).T).max())
    if apart > APART:
        flipped = "".join(nibabel.aff2axcodes(other)) != code
        severity: Severity = "error" if flipped else "warning"
        got = f"sform {code} and qform {''.join(nibabel.aff2axcodes(other))}, up to {apart:.1f} mm apart"
        yield severity, "forms-disagree", got, "one place"


def _grid(shape: tuple[object, ...]) -> str:
    return f"{' x '.join(map(str, shape[:3]))} voxels of {' x '.join(map(str, shape[3:]))} mm"


def _mm(spacing: object) -> str:
    return f"{' x '.join(f'{edge:.3g}' for edge in np.asarray(spacing))} mm"
