"""What can be wrong with one volume: the geometry in its header, its intensities, its masks."""

from collections import Counter
from collections.abc import Iterator, Mapping

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.audit.finding import Finding, Severity
from datasets.io.nifti import StoredVolume, disagreement, mm_per_unit
from datasets.loading import INSIDE_ABOVE
from datasets.sampling import CONNECTED, bounding_box
from datasets.words import count_text

LEAST_EDGE, MOST_EDGE = 0.2, 8.0  # mm; beyond these the unit is doubtful
OBLIQUE = 5.0  # degrees; the common grid cuts along the voxel axes
FEWEST_LEVELS = 16
SATURATED = 0.1  # share of the brain at its brightest intensity
NEGATIVE = 0.001
Mask = NDArray[np.bool_]
BRAIN_ML = (700.0, 2200.0)  # stripped adult brains, registered or not, lie well within
STRAY_ML = 1.0  # smaller holes or separate parts are a mask's rough edge
Observation = tuple[Severity, str, str, str]


def geometry_findings(volume: StoredVolume) -> Iterator[Observation]:
    """Findings in the header of one image."""
    yield from _orientation(volume)
    spacing = volume.spacing.round(4)  # a header's numbers are of single precision
    if spacing.min() < LEAST_EDGE or spacing.max() > MOST_EDGE:
        yield "warning", "odd-spacing", f"spacing {_mm(spacing)}", f"{LEAST_EDGE:g} to {MOST_EDGE:g} mm"
    stored = np.sort(np.asarray(volume.header["pixdim"][1:4], dtype=np.float64)) * mm_per_unit(volume.header)
    if not np.allclose(stored, np.sort(spacing), rtol=0.01):
        got = f"spacing {_mm(stored)} in the header and {_mm(np.sort(spacing))} in the affine"
        yield "warning", "spacing-disagrees", got, "the same in both"
    turned = np.degrees(np.arccos(np.clip(np.abs(np.diag(volume.affine[:3, :3] / spacing)), 0, 1))).max()
    if turned > OBLIQUE:
        yield "warning", "oblique", f"axes turned by {turned:.0f} degrees", f"at most {OBLIQUE:g}, or resample it"


def mixed_grids(shapes: Mapping[str, tuple[object, ...]], cohort: str) -> list[Finding]:
    """Cases whose grid differs from most: the common box is centred on each volume's centre."""
    counts = Counter(shapes.values())
    if len(counts) < 2:
        return []
    usual = counts.most_common(1)[0][0]
    odd = tuple(case for case, shape in shapes.items() if shape != usual)
    got = f"{count_text(len(counts), 'grid')}, e.g. {_grid(shapes[odd[0]])}"
    return [Finding("warning", "mixed-grids", cohort, odd, got, f"{_grid(usual)} as most have")]


def grid_of(volume: StoredVolume) -> tuple[object, ...]:
    """Shape and spacing, for comparison."""
    return (*volume.data.shape, *(round(float(edge), 2) for edge in volume.spacing))


def intensity_findings(image: NDArray[np.generic], brain: NDArray[np.bool_]) -> Iterator[Observation]:
    """Findings in an image `(X, Y, Z)` over its brain, or over the whole image if the brain is unknown."""
    values = image[brain].astype(np.float64) if brain.any() else image.ravel().astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if low == high:
        where = "the brain" if image.any() else "the volume"
        yield "error", "constant-image", f"one intensity ({low:g}) throughout {where}", "contrast"
        return
    levels = len(np.unique(values))
    if levels < FEWEST_LEVELS:
        yield "warning", "few-levels", f"{levels} different intensities in the brain", f"{FEWEST_LEVELS} or more"
    at_top = float((values == high).mean())
    if at_top > SATURATED:
        yield "warning", "saturated", f"{at_top:.0%} of the brain at its highest intensity ({high:g})", "a tail"
    below = float((values < 0).mean())
    if below > NEGATIVE:
        yield "warning", "negative-intensities", f"{below:.1%} of the brain below 0, down to {low:g}", "magnitudes"


def value_findings(mask: StoredVolume) -> Iterator[Observation]:
    """Values of a mask of one label other than 0 and 1."""
    values = np.unique(mask.data)
    if np.isin(values, (0, 1)).all():
        return
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
    between = int(((mask.data > 0) & (mask.data < 1)).sum())
    soft = f" ({between} voxels between 0 and 1)" if between else ""
    expected = f"0 and 1; what is above {INSIDE_ABOVE:g} counts as inside"
    yield "warning", "non-binary-mask", f"the values {shown}{soft}", expected


def brain_findings(brain: Mask, image: NDArray[np.generic], voxel_ml: float) -> Iterator[Observation]:
    """Coverage, holes and parts of a brain mask."""
    if not brain.any():
        yield "error", "empty-brain-mask", "no voxel inside", "a brain"
        return
    if brain.all():
        yield "error", "brain-is-box", "a mask that fills the whole volume", "a brain with background around it"
        return
    ml = float(brain.sum()) * voxel_ml
    if not BRAIN_ML[0] <= ml <= BRAIN_ML[1]:
        yield "warning", "brain-volume", f"a brain of {ml:.0f} ml", f"{BRAIN_ML[0]:.0f} to {BRAIN_ML[1]:.0f} ml"
    yield from _shape(brain, voxel_ml)
    zero = image == 0
    dark = np.count_nonzero(zero & brain) / np.count_nonzero(brain)
    if dark > 0.1:
        yield "warning", "image-short", f"{dark:.0%} of the brain mask where the image is 0", "image in all of it"
    outside = 1 - np.count_nonzero(zero & ~brain) / np.count_nonzero(~brain)
    if outside > 0.1:
        yield "note", "not-stripped", f"{outside:.0%} of what is outside the brain mask not 0", "a stripped image"


def lesion_findings(lesion: Mask, brain: Mask, voxel_ml: float) -> Iterator[Observation]:
    """Findings in a lesion mask by itself and relative to the brain."""
    if not lesion.any():
        yield "error", "empty-lesion-mask", "no voxel inside", "a lesion, or a case that is called healthy"
        return
    if np.array_equal(lesion, brain):
        yield "error", "lesion-is-brain", "the brain mask as lesion mask", "a lesion"
        return
    outside, ml = int((lesion & ~brain).sum()), float(lesion.sum()) * voxel_ml
    if outside:
        got = f"{outside * voxel_ml:.2f} of {ml:.2f} ml outside the brain mask, which no map can find"
        yield "warning", "lesion-outside-brain", got, "all of it inside"
    if lesion.sum() > 0.5 * brain.sum():
        yield "warning", "lesion-volume", f"a lesion of {ml:.0f} ml, over half of the brain", "a lesion"


def ignored_findings(ignored: Mask, lesion: Mask | None, brain: Mask, voxel_ml: float) -> Iterator[Observation]:
    """What no score counts: how much it is, and whether it is called lesion as well."""
    if not ignored.any():
        yield "warning", "empty-ignore-mask", "no voxel inside", "voxels to be ignored, or no such mask"
        return
    both = 0 if lesion is None else int((ignored & lesion).sum())
    if both:
        got = f"{both * voxel_ml:.2f} ml that is both lesion and to be ignored"
        yield "error", "ignored-lesion", got, "each voxel to be one of them at most"
    ml, inside = float(ignored.sum()) * voxel_ml, float((ignored & brain).sum()) * voxel_ml
    yield "note", "ignored", f"{ml:.2f} ml that no score counts, {inside:.2f} ml of it in the brain", "it as declared"


def _orientation(volume: StoredVolume) -> Iterator[Observation]:
    header = volume.header
    q, s = int(header["qform_code"]), int(header["sform_code"])
    if not q and not s:
        yield "warning", "no-orientation", "no orientation in the header (qform and sform code 0)", "one of them set"
        return
    code = "".join(nibabel.aff2axcodes(header.get_best_affine()))
    if code != "RAS":
        yield "note", "not-ras", f"orientation {code}, which is turned when it is read", "RAS"
    if q and s and not np.isfinite(header.get_qform()).all():
        yield "warning", "forms-disagree", "a qform that is not finite beside the sform", "one place"
    found = disagreement(header)
    if found is not None:
        yield "warning", "forms-disagree", str(found), "one place"


def _grid(shape: tuple[object, ...]) -> str:
    return f"{' x '.join(map(str, shape[:3]))} voxels of {' x '.join(map(str, shape[3:]))} mm"


def _mm(spacing: object) -> str:
    return f"{' x '.join(f'{edge:.3g}' for edge in np.asarray(spacing))} mm"


def _shape(brain: Mask, voxel_ml: float) -> Iterator[Observation]:
    """Separate parts and holes of the brain, searched in its bounding box."""
    box = bounding_box(brain)
    held = np.pad(brain[box], 1)
    parts = _sizes(held, CONNECTED) * voxel_ml
    stray = parts[1:][parts[1:] > STRAY_ML]
    if stray.size:
        yield "warning", "brain-in-parts", f"{stray.size + 1} parts, {stray.sum():.1f} ml apart from the largest", "one"
    holes = _sizes(~held, None)[1:] * voxel_ml
    large = holes[holes > STRAY_ML]
    if large.size:
        yield "warning", "holes-in-brain", f"{large.size} holes of {large.sum():.1f} ml in the brain mask", "none"


def _sizes(mask: Mask, structure: Mask | None) -> NDArray[np.float64]:
    """Voxels of each component, largest first."""
    labels, _ = ndimage.label(mask, structure)
    return np.sort(np.bincount(labels.ravel())[1:])[::-1].astype(np.float64)
