"""Acquisition shifts, applied to raw magnitudes before intensity scaling.

Scans are skull-stripped: filters average over the brain's voxels only, and signal moved outside the brain is lost.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.shifts.shift import FloatArray, View

FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian of standard deviation 1
ORDER = 3  # of the bias field's polynomial
BRIGHT = 99  # percentile of the brain that stands for white matter on T1
MOVES = 4


def bias(view: View, level: float) -> FloatArray:
    """Times a smooth positive field, the exponential of a random cubic polynomial, at most e ** +-level."""
    coefficients = view.rng.standard_normal((ORDER + 1,) * 3)
    coefficients[np.indices(coefficients.shape).sum(axis=0) > ORDER] = 0
    field: NDArray[Any] = coefficients
    for places in reversed(_places(view.brain_mask)):
        field = np.tensordot(np.vander(places, ORDER + 1, increasing=True), field, axes=(1, 2))  # next axis first
    inside = field[view.brain_mask]
    field -= inside.mean()
    farthest = max(inside.max() - inside.mean(), inside.mean() - inside.min())
    return np.asarray(view.image * np.exp(field * (level / farthest)), dtype=np.float32)


def noise(view: View, level: float) -> FloatArray:
    """Rician: the magnitude after normal noise in the real and the imaginary part.

    References:
        Gudbjartsson, Patz: The Rician distribution of noisy MRI data. Magnetic Resonance in Medicine 34(6), 1995.
    """
    values = view.image[view.brain_mask]
    deviation = np.float32(level * np.percentile(values, BRIGHT))
    real, imaginary = view.rng.standard_normal((2, values.size), dtype=np.float32) * deviation
    return _inside(view.brain_mask, np.hypot(values + real, imaginary))


def blur(view: View, level: float) -> FloatArray:
    """A Gaussian filter of `level` mm full width at half maximum."""
    deviations = [level / FWHM / spacing for spacing in view.spacing]
    box = _box(view.brain_mask)
    brain = view.brain_mask[box].astype(np.float32)
    weights = ndimage.gaussian_filter(brain, deviations, mode="constant", truncate=3)
    sums = ndimage.gaussian_filter(view.image[box] * brain, deviations, mode="constant", truncate=3)
    return _averaged(view, box, sums, weights)


def thickness(view: View, level: float) -> FloatArray:
    """Adjacent axial slices of `level` mm from a random offset, interpolated linearly back to the scan's slices."""
    box = _box(view.brain_mask)
    brain = view.brain_mask[box].astype(np.float32)
    thin = view.spacing[2]
    through = _slices(brain.shape[2], level / thin, view.rng.random()).astype(np.float32)  # (Z, Z)
    return _averaged(view, box, (view.image[box] * brain) @ through.T, brain @ through.T)


def motion(view: View, level: float) -> FloatArray:
    """Parts of k-space acquired in other head positions, as in TorchIO.

    The head moves four times, each time by rotations and translations of up to `level` degrees and mm along each
    axis.
    """
    from torchio import Motion

    degrees, translation = view.rng.uniform(-1, 1, (2, MOVES, 3)) * level
    times = np.sort(view.rng.uniform(0.2, 0.8, MOVES))
    return _by_torchio(view, Motion(degrees, translation, times, "linear"))


def ghosting(view: View, level: float) -> FloatArray:
    """Every n-th line of k-space, except the centre, weakened by `level`, as in TorchIO: n in-plane ghosts."""
    from torchio import Ghosting

    ghosts, axis = int(view.rng.integers(3, 7)), int(view.rng.integers(0, 2))
    return _by_torchio(view, Ghosting(ghosts, axis, level, 0.02))


def _by_torchio(view: View, transform: Any) -> FloatArray:
    import torch
    from torchio import ScalarImage, Subject

    affine = np.diag([*view.spacing, 1.0])
    subject = Subject(scan=ScalarImage(tensor=torch.from_numpy(view.image[None].copy()), affine=affine))
    changed = transform(subject)["scan"].numpy()[0]
    return np.asarray(np.abs(changed), dtype=np.float32)  # what a scanner stores is a magnitude


def _places(brain: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Each axis' voxels from -1 to 1 over the brain's box."""
    box = _box(brain)
    return [
        np.interp(np.arange(size), [part.start, max(part.stop - 1, part.start + 1)], [-1.0, 1.0])
        for size, part in zip(brain.shape, box, strict=True)
    ]


def _box(brain: NDArray[np.bool_]) -> tuple[slice, ...]:
    return ndimage.find_objects(brain.astype(np.uint8))[0]


def _inside(brain: NDArray[np.bool_], values: NDArray[np.float32]) -> FloatArray:
    whole = np.zeros(brain.shape, dtype=np.float32)
    whole[brain] = values
    return whole


def _averaged(view: View, box: tuple[slice, ...], sums: NDArray[Any], weights: NDArray[Any]) -> FloatArray:
    inside = view.brain_mask[box]
    whole = np.zeros(view.image.shape, dtype=np.float32)
    whole[box][inside] = sums[inside] / weights[inside]
    return whole


def _slices(count: int, thick: float, start: float) -> NDArray[np.float64]:
    """`(count, count)`: voxels to voxels by way of slices `thick` voxels each, the first from -`start` slices on."""
    edges = (np.arange(int(np.ceil(count / thick)) + 2) - start) * thick
    low, high = np.arange(count), np.arange(1, count + 1)
    shares = np.clip(np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low), 0, None)  # (S, count)
    shares = shares[shares.sum(axis=1) > 0]
    centres = (shares * (low + 0.5)).sum(axis=1) / shares.sum(axis=1)
    back = np.stack([np.interp(low + 0.5, centres, row) for row in np.eye(len(centres))], axis=1)  # (count, S)
    return back @ (shares / shares.sum(axis=1, keepdims=True))
