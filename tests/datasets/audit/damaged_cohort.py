"""A small sound cohort in the prepared layout, and the ways to write volumes that its cases are damaged with."""

import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.spec import DatasetSpec

SHAPE = (20, 24, 20)
SPACING = 8.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
HEADER = "case_id,subject_id,split,sequences,site,healthy,licence\n"
ROWS = {
    "sound": "sound,s1,train,t1,here,yes,CC0",
    "other": "other,s2,test,t1,here,no,CC0",
    "bad": "bad,s3,test,t1,here,no,CC0",
}
TABLE = HEADER + "".join(f"{row}\n" for row in ROWS.values())
MINE = DatasetSpec("mine", "Mine", ("t1",), None, "CC0", "nobody", "https://example.org", "Ask me.")

Array = NDArray[Any]


def write_cohort(folder: Path) -> None:
    """Three cases, of which `bad` is to be damaged."""
    folder.mkdir(parents=True)
    (folder / "cases.csv").write_text(TABLE)
    for seed, case in enumerate(ROWS):
        save(folder / "t1" / f"{case}.nii.gz", picture(seed))
        save(folder / "brain_mask" / f"{case}.nii.gz", brain().astype(np.uint8))
        if case != "sound":
            save(folder / "lesion_mask" / f"{case}.nii.gz", lesion().astype(np.uint8))


def brain() -> NDArray[np.bool_]:
    """An ellipsoid of 1.3 l."""
    return ellipsoid((9.5, 11.5, 9.5), (8.0, 9.5, 8.0))


def lesion() -> NDArray[np.bool_]:
    return ellipsoid((8, 9, 10), (2.2, 2.2, 2.2))


@lru_cache
def picture(seed: int) -> Array:
    """Texture inside the brain."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 0.8)
    return np.asarray(np.where(brain(), 100 + 20 * texture / texture.std(), 0), dtype=np.float32)


def ellipsoid(middle: tuple[float, ...], radii: tuple[float, ...]) -> NDArray[np.bool_]:
    axes = np.indices(SHAPE).transpose(1, 2, 3, 0)
    return np.asarray((((axes - np.asarray(middle)) / radii) ** 2).sum(axis=-1) <= 1)


def save(path: Path, volume: Array, affine: Array | None = AFFINE, change: Callable[[Any], None] | None = None) -> None:
    """A NIfTI file; `change` is given its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.nifti1.Nifti1Image(volume, affine)
    if change is not None:
        change(image.header)
    image.to_filename(path)


def edited(path: Path, edit: Callable[[bytearray], None]) -> None:
    """A file's unpacked bytes changed, as no library would write them."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    edit(content)
    path.write_bytes(gzip.compress(bytes(content)))


def header_field(path: Path, name: str, value: object) -> None:
    """One field of a header set to whatever."""

    def edit(content: bytearray) -> None:
        header = nibabel.nifti1.Nifti1Header(bytes(content[:348]), check=False)
        header[name] = value
        content[:348] = header.binaryblock

    edited(path, edit)
