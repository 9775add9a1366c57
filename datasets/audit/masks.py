"""Masks: values, coverage, and how lesion and brain lie to each other."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.audit.volumes import Told
from datasets.grid import INSIDE_ABOVE
from datasets.io.nifti import Volume

Mask = NDArray[np.bool_]
BRAIN_ML = (700.0, 2200.0)  # stripped adult brains, registered or not, lie well within
STRAY_ML = 1.0  # a hole or a separate part of less is a mask's rough edge
ALL = ndimage.generate_binary_structure(3, 3)


def value_findings(mask: Volume) -> Iterator[Told]:
    """A mask's values, which are to be 0 and 1."""
    values = np.unique(mask.data)
    if np.isin(values, (0, 1)).all():
        return
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
    between = int(((mask.data > 0) & (mask.data < 1)).sum())
    soft = f" ({between} voxels between 0 and 1)" if between else ""
    counted = f"0 and 1; what is above {INSIDE_ABOVE:g} counts as inside"
    yield "warning", "non-binary-mask", f"the values {shown}{soft}", counted


def brain_findings(brain: Mask, image: NDArray[np.generic], voxel_ml: float) -> Iterator[Told]:
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
    dark = float((image[brain] == 0).mean())
    if dark > 0.1:
        yield "warning", "image-short", f"{dark:.0%} of the brain mask where the image is 0", "image in all of it"
    outside = float((image[~brain] != 0).mean())
    if outside > 0.1:
        yield "note", "not-stripped", f"{outside:.0%} of what is outside the brain mask not 0", "a stripped image"


def lesion_findings(lesion: Mask, brain: Mask, voxel_ml: float) -> Iterator[Told]:
    """A lesion mask by itself and against the brain."""
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


def _shape(brain: Mask, voxel_ml: float) -> Iterator[Told]:
    """Parts and holes, within the box of the brain and a voxel around it."""
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    held = np.pad(brain[box], 1)
    parts = _sizes(held, ALL) * voxel_ml
    stray = parts[1:][parts[1:] > STRAY_ML]
    if stray.size:
        yield "warning", "brain-in-parts", f"{stray.size + 1} parts, {stray.sum():.1f} ml apart from the largest", "one"
    holes = _sizes(~held, None)[1:] * voxel_ml
    large = holes[holes > STRAY_ML]
    if large.size:
        yield "warning", "holes-in-brain", f"{large.size} holes of {large.sum():.1f} ml in the brain mask", "none"


def _sizes(mask: Mask, structure: Mask | None) -> NDArray[np.float64]:
    """Voxels of each component, the largest first."""
    labels, _ = ndimage.label(mask, structure)
    return np.sort(np.bincount(labels.ravel())[1:])[::-1].astype(np.float64)
