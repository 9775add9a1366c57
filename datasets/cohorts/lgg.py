"""TCGA low-grade gliomas with masks of the FLAIR abnormality: slices as TIF, stacked to volumes."""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import few, files_below, there
from datasets.errors import BadFile, MissingData
from datasets.spec import DatasetSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


SLICE = re.compile(
    r"(?P<subject>TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4})_(?P<date>\d{8})_(?P<number>\d+)(?P<mask>_mask)?\.tiff?$",
    re.IGNORECASE,
)
Slices = dict[int, dict[str, Path]]  # number of a slice to its files `image` and `mask`
CHANNELS = ("t1", "flair", "t1ce")
# Neither is stored in the slices. Fields of view near 240 mm over 256 pixels are usual for such scans,
# and a stack, whatever the number of its slices, covers a brain from its base to the vertex.
FIELD_MM = 240.0
STACK_MM = 144.0


def raw_cases(root: Path) -> RawCohort:
    """`kaggle_3m/TCGA_XX_NNNN_DATE/TCGA_XX_NNNN_DATE_K.tif` with `_mask.tif` below `root`.

    The three channels are T1, FLAIR and T1ce. In place of a sequence that was not acquired the download repeats the
    FLAIR; such a sequence is left out. The voxel size is not stored but assumed: see `FIELD_MM` and `STACK_MM`.

    Raises:
        MissingData: there is no such slice.
    """
    stacks = defaultdict[str, Slices](lambda: defaultdict(dict))
    doubled: list[str] = []
    for path in files_below(root):
        match = SLICE.match(path.name)
        if match:
            role = "mask" if match["mask"] else "image"
            files = stacks[f"{match['subject']}_{match['date']}".upper()][int(match["number"])]
            doubled += [path.name] if role in files else []
            files.setdefault(role, path)
    if not stacks:
        expected = "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif with _mask.tif and the like"
        raise MissingData(f"No download of TCGA-LGG at {root}: looked for {expected}. {there(root)}")
    cases, problems = [], [f"several files for one slice, the first is taken: {few(doubled)}"] if doubled else []
    for name, slices in sorted(stacks.items()):
        try:
            cases.append(_raw_case(name, slices))
        except BadFile as error:
            problems.append(f"skipped: {error}")
    return RawCohort(tuple(cases), tuple(problems))


def _raw_case(name: str, slices: Slices) -> RawCase:
    """The raw case of a stack; its images and mask are the scan's folder until it is unpacked."""
    numbers = sorted(slices)
    single = [number for number in numbers if len(slices[number]) < 2]
    missing = sorted({*range(numbers[0], numbers[-1] + 1)} - {*numbers})
    if single or missing:
        wrong = few([str(number) for number in (*single, *missing)])
        raise BadFile(f"{name}: got no image or no mask for slices {wrong}, expected both of each of them.")
    pairs = [(slices[number]["image"], slices[number]["mask"]) for number in numbers]
    repeated = repeats_flair(pairs[len(pairs) // 2][0])
    folder = pairs[0][0].parent
    case = RawCase(
        case_id=name,
        subject_id=name.rpartition("_")[0],
        images={sequence: folder for sequence in CHANNELS if sequence not in repeated},
        drawn_on="flair",
        site=name.split("_")[1],
        licence="images CC BY 3.0; masks CC BY-NC-SA 4.0",
        lesion_mask=folder,
        aligned=True,
    )
    return replace(case, unpack=partial(unpack, case, pairs))


def repeats_flair(path: Path) -> tuple[str, ...]:
    """The channels of a slice that are copies of its FLAIR, with which the download fills missing sequences.

    Raises:
        BadFile: the slice cannot be read.
    """
    pixels = read_slice(path, channels=3)
    flair = pixels[..., CHANNELS.index("flair")]
    return tuple(name for at, name in enumerate(CHANNELS) if name != "flair" and (pixels[..., at] == flair).all())


def unpack(case: RawCase, slices: Sequence[tuple[Path, Path]], scratch: Path) -> RawCase:
    """The case with its sequences and mask written as NIfTI into `scratch`.

    Rows run from anterior to posterior, columns from the patient's right to the left, slices upwards.
    The size of a voxel is an assumption: see `FIELD_MM` and `STACK_MM`.

    Args:
        slices: image and mask of each slice, from the lowest up.

    Raises:
        BadFile: a slice cannot be read, or slices differ in size.
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
        raise BadFile(f"{path}: got a slice that cannot be read ({error}), expected a TIF.") from error
    return pixels


def _alike(slices: "list[NDArray[np.uint8]]", first: Path) -> "list[NDArray[np.uint8]]":
    shapes = {one.shape for one in slices}
    if len(shapes) > 1:
        raise BadFile(f"{first.parent}: got slices of sizes {sorted(shapes)}, expected one size.")
    return slices


def _write(volume: "NDArray[np.uint8]", path: Path) -> Path:
    import numpy as np

    from datasets.io.nifti import Volume, write_volume

    depth, height, width = volume.shape
    spacing = np.array([FIELD_MM / width, FIELD_MM / height, STACK_MM / depth])
    affine = np.diag([*(spacing * (-1, -1, 1)), 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array([width, height, depth]) - 1) / 2  # the origin at the middle
    write_volume(path, Volume(volume.transpose(2, 1, 0), affine))  # (X, Y, Z)
    return path


LGG = DatasetSpec(
    name="lgg",
    title="TCGA-LGG",
    sequences=("t1", "t1ce", "flair"),
    healthy=False,
    licence="images CC BY 3.0; masks CC BY-NC-SA 4.0",
    reference="Pedano et al. 2016 (TCIA); Buda et al. 2019, doi:10.1016/j.compbiomed.2019.05.002",
    url="https://www.cancerimagingarchive.net/collection/tcga-lgg",
    how_to_get="Download the kaggle_3m slices and masks of Buda et al. (2019).",
    raw_cases=raw_cases,
)
