"""Guided slices: what a conditioned model makes of one image under the code of another."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.inference.predict import load_detector
from benchmark.inference.settings import Inference, computing
from benchmark.storage.fits import FitFolder

Plane = NDArray[np.float32]
Guided = dict[tuple[int, float, float], tuple[Plane, Plane]]
"""By noise level, crop and contrast the conditioning image and the reconstruction under it, `(X, Y)` each."""


def guided_slices(
    folder: FitFolder,
    image: Plane,
    *,
    levels: Sequence[int],
    crops: Sequence[float],
    contrasts: Sequence[float],
    device: str,
    seed: int = 0,
) -> Guided:
    """Reconstruct one `(X, Y)` slice under every noise level and conditioning image.

    Every reconstruction of a level begins with the same noise, so that only the conditioning image differs.

    Raises:
        BadFile, BadValue: as `load_detector`.
        TypeError: the method is not conditioned on an image.
    """
    detector: Any = load_detector(folder, device)
    if not hasattr(detector, "reconstruct_guided"):
        raise TypeError(f"Got {folder.fit.method}, expected a method that is conditioned on an image.")
    detector.eval()
    made: Guided = {}
    with computing(Inference(device)):
        seeds = torch.tensor([seed], device=device)
        for level, crop, contrast in product(levels, crops, contrasts):
            guide = guide_of(image, crop, contrast)
            noised, given = (torch.tensor(one, device=device)[None, None] for one in (image, guide))
            plane = detector.reconstruct_guided(noised, given, level=level, seeds=seeds)[0, 0]
            made[level, crop, contrast] = guide, plane.cpu().numpy()
    return made


def guide_of(image: Plane, crop: float, contrast: float) -> Plane:
    """`image ** contrast` of an `(X, Y)` slice, 0 beyond a part of its width.

    Args:
        crop: part of the width that stays, from the left of the picture.
    """
    guide = np.asarray(image**contrast, dtype=np.float32)
    guide[round(crop * len(guide)) :] = 0
    return guide
