"""Slices of the TCGA download as volumes: channels of TIFs to NIfTI."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import BadFile
from datasets.raw import RawCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHANNELS = ("t1", "flair", "t1ce")
# Neither is stored in the slices. Fields of view near 240 mm over 256 pixels are usual for such scans,
# and a stack, whatever the number of its slices, covers a brain from its base to the vertex.
FIELD_MM = 240.0
STACK_MM = 144.0


def repeats_flair(path: Path) -> tuple[str, ...]:
    """The channels of a slice that are a copy of its FLAIR: the download fills missing sequences so.

    Raises:
        BadFile: the slice cannot be read.
    """
    pixels = read_slice(path, channels=3)
    flair = pixels[..., CHANNELS.index("flair")]
    return tuple(name for at, name in enumerate(CHANNELS) if name != "flair" and (pixels[..., at] == flair).all())


def unpacked(case: RawCase, slices: Sequence[tuple[Path, Path]], scratch: Path) -> RawCase:
    """The case with its sequences and mask written as NIfTI into `scratch`.

    Rows run from anterior to posterior, columns from the patient's right to the left, slices upwards.
    The size of a voxel is an assumption: see `FIELD_MM` and `STACK_MM`.

    Args:
        slices: image and mask of each slice, from the lowest up.

    Raises:
        BadFile: a slice cannot be read, or is of another size than the first.
    """
    import numpy as np

    images = np.stack(_alike([read_slice(image, channels=3) for image, _ in slices], slices[0][0]))  # (Z, Y, X, 3)
    mask = np.stack(_alike([read_slice(mask, channels=1) for _, mask in slices], slices[0][1]))  # (Z, Y, X)
    volumes = {name: images[..., CHANNELS.index(name)] for name in case.images}
    files = {name: _write(volume, scratch / f"{case.case_id}_{name}.nii.gz") for name, volume in volumes.items()}
    lesion_mask = _write((mask > 127).astype(np.uint8), scratch / f"{case.case_id}_mask.nii.gz")
    return replace(case, images=files, lesion_mask=lesion_mask, unpack=None)


def read_slice(path: Path, *, channels: int) -> "NDArray[np.uint8]":
    """`(Y, X, channels)` of an image, `(Y, X)` for one channel."""
    import numpy as np
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:  # a torn file warns, then raises
            pixels = np.asarray(picture.convert("RGB" if channels == 3 else "L"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises each of these for a torn file
        raise BadFile(f"{path}: got a slice that cannot be read ({error}), wanted a TIF.") from error
    return pixels


def _alike(slices: "list[NDArray[np.uint8]]", first: Path) -> "list[NDArray[np.uint8]]":
    shapes = {one.shape for one in slices}
    if len(shapes) > 1:
        raise BadFile(f"{first.parent}: got slices of sizes {sorted(shapes)}, wanted one size.")
    return slices


def _write(volume: "NDArray[np.uint8]", path: Path) -> Path:
    import nibabel
    import numpy as np

    depth, height, width = volume.shape
    spacing = np.array([FIELD_MM / width, FIELD_MM / height, STACK_MM / depth])
    affine = np.diag([*(spacing * (-1, -1, 1)), 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array([width, height, depth]) - 1) / 2  # the origin at the middle
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.nifti1.Nifti1Image(volume.transpose(2, 1, 0), affine).to_filename(path)  # (X, Y, Z)
    return path
