"""Rigid and affine registration by mutual information, as `(4, 4)` matrices in mm."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from datasets.errors import BadValue
from datasets.io.nifti import Matrix, Volume
from datasets.preparation.resampling import resample, upright_lattice

if TYPE_CHECKING:
    import SimpleITK

Kind = Literal["rigid", "affine"]

BINS = 32
COARSE_MM = 4.0
LEVELS_MM = (8.0, 4.0)
ITERATIONS = 500
SMALLEST_STEP, RELAXATION = 1e-4, 0.8
"""Steps that shrink faster or stop earlier end short of the optimum, at a point that depends on the head's position."""


def set_threads(count: int) -> None:
    """Set the threads of all later registrations and bias corrections in this process."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    sitk.ProcessObject.GlobalWarningDisplayOff()


def register(fixed: Volume, moving: Volume, *, kind: Kind, initial: Matrix | None = None) -> Matrix:
    """The matrix from `fixed`'s mm to `moving`'s mm that aligns `moving` with `fixed`.

    Mattes' mutual information of all voxels, coarse to fine (8 and 4 mm), regular-step gradient descent;
    an affine registration starts with a rigid one.

    Args:
        initial: the start; by default the centres of mass are aligned, without rotation.

    Raises:
        BadValue: the two do not overlap.

    References:
        Mattes et al. PET-CT image registration in the chest using free-form deformations. IEEE TMI 22(1), 2003.
    """
    fixed, moving = _coarse(fixed), _coarse(moving)
    start = _centred(fixed, moving) if initial is None else initial
    target, source = _as_itk(fixed), _as_itk(moving)
    middle = _centre_of_mass(fixed)
    rigid = _optimised(target, source, _rigid(start, middle))
    matrix = _matrix(rigid)
    if kind == "affine":
        matrix = _matrix(_optimised(target, source, _affine(matrix, middle)))
    return matrix


def _coarse(volume: Volume) -> Volume:
    """On upright voxels of 4 mm; finer ones take longer and do not change an affine registration."""
    lattice = upright_lattice(volume.lattice, COARSE_MM)
    return Volume(resample(volume, lattice, order=1), lattice.affine)


def _optimised(fixed: Any, moving: Any, transform: Any) -> Any:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=SMALLEST_STEP, numberOfIterations=ITERATIONS, relaxationFactor=RELAXATION
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([round(level / COARSE_MM) for level in LEVELS_MM])
    method.SetSmoothingSigmasPerLevel([level * 3 / 8 for level in LEVELS_MM])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise BadValue(f"Registration: got two images that do not overlap ({reason}), expected one head.") from error
    return transform


def _rigid(start: Matrix, middle: Matrix) -> "SimpleITK.Euler3DTransform":
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform()
    transform.SetCenter(middle.tolist())
    left, _, right = np.linalg.svd(start[:3, :3])
    transform.SetMatrix((left @ right).ravel().tolist())  # the turn in `start` alone
    transform.SetTranslation((start[:3, :3] @ middle + start[:3, 3] - middle).tolist())
    return transform


def _affine(start: Matrix, middle: Matrix) -> "SimpleITK.AffineTransform":
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    transform.SetCenter(middle.tolist())
    transform.SetMatrix(start[:3, :3].ravel().tolist())
    transform.SetTranslation((start[:3, :3] @ middle + start[:3, 3] - middle).tolist())
    return transform


def _matrix(transform: Any) -> Matrix:
    linear = np.array(transform.GetMatrix()).reshape(3, 3)
    middle, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = middle + shift - linear @ middle
    return matrix


def _as_itk(volume: Volume) -> Any:
    """ITK accepts any right-handed physical space: both images stay in RAS mm."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.data.T.astype(np.float32)))  # (Z, Y, X)
    image.SetSpacing(volume.lattice.spacing.tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    return image


def _centred(fixed: Volume, moving: Volume) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = _centre_of_mass(moving) - _centre_of_mass(fixed)
    return matrix


def _centre_of_mass(volume: Volume) -> Matrix:
    """Of the voxels above the mean; weighted by intensity it would be biased by noise in the air."""
    weight = volume.data > volume.data.mean()
    counts = [weight.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1))]
    voxel = [float(np.average(np.arange(len(count)), weights=count)) for count in counts]
    return volume.affine[:3, :3] @ np.array(voxel) + volume.affine[:3, 3]
