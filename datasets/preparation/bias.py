"""N4 bias field correction inside the brain."""

import numpy as np
from numpy.typing import NDArray

SHRINK_MM = 3.0
ITERATIONS = (50, 50, 50, 50)


def correct_bias(image: NDArray[np.float32], brain_mask: NDArray[np.bool_], spacing: float) -> NDArray[np.float32]:
    """Divide the image `(X, Y, Z)` by its bias field, estimated on 3 mm voxels of the brain.

    Brain voxels at or below 0 are left out, since N4 works on logarithms. The field has a geometric mean of 1 over the
    brain, so that intensities keep their scale.

    References:
        Tustison et al. N4ITK: improved N3 bias correction. IEEE TMI 29(6), 2010.
    """
    import SimpleITK as sitk

    usable = brain_mask & (image > 0)
    full = _as_itk(image, spacing)
    factor = max(round(SHRINK_MM / spacing), 1)
    small = sitk.Shrink(full, [factor] * 3)
    small_mask = sitk.Shrink(_as_itk(usable.astype(np.uint8), spacing), [factor] * 3)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(ITERATIONS)
    n4.Execute(small, small_mask)
    log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full)).T
    log_field = log_field - log_field[usable].mean()
    return np.asarray(image / np.exp(log_field), dtype=np.float32)


def _as_itk(volume: NDArray[np.generic], spacing: float) -> "object":
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T))  # (Z, Y, X)
    image.SetSpacing([spacing] * 3)
    return image
