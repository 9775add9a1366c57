"""TCGA low-grade gliomas with masks of the FLAIR abnormality."""

import re
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

from datasets.cohorts.downloads import few, files_below, there
from datasets.cohorts.tcga_slices import CHANNELS, repeats_flair, unpacked
from datasets.errors import BadFile, MissingData
from datasets.raw import RawCase, RawCohort
from datasets.spec import DatasetSpec

SLICE = re.compile(
    r"(?P<subject>TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4})_(?P<date>\d{8})_(?P<number>\d+)(?P<mask>_mask)?\.tiff?$",
    re.IGNORECASE,
)
Slices = dict[int, dict[str, Path]]  # number of a slice to its files `image` and `mask`


def raw_cases(root: Path) -> RawCohort:
    """`kaggle_3m/TCGA_XX_NNNN_DATE/TCGA_XX_NNNN_DATE_K.tif` with `_mask.tif` below `root`.

    The three channels are T1, FLAIR and T1ce. Where one of the others was not acquired the download
    repeats the FLAIR in its place: such a sequence is left out. The size of a voxel is not stored; what
    is assumed of it stands in `datasets.cohorts.tcga_slices`.

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
        wanted = "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif with _mask.tif and the like"
        raise MissingData(f"No download of TCGA-LGG at {root}: looked for {wanted}. {there(root)}")
    cases, problems = [], [f"several files for one slice, the first is taken: {few(doubled)}"] if doubled else []
    for name, slices in sorted(stacks.items()):
        try:
            cases.append(_raw_case(name, slices))
        except BadFile as error:
            problems.append(f"passed over: {error}")
    return RawCohort(tuple(cases), tuple(problems))


def _raw_case(name: str, slices: Slices) -> RawCase:
    """Its images and mask are the scan's folder until it is unpacked."""
    numbers = sorted(slices)
    single = [number for number in numbers if len(slices[number]) < 2]
    missing = sorted({*range(numbers[0], numbers[-1] + 1)} - {*numbers})
    if single or missing:
        wrong = few([str(number) for number in (*single, *missing)])
        raise BadFile(f"{name}: got no image or no mask for slices {wrong}, wanted both of each of them.")
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
    return replace(case, unpack=partial(unpacked, case, pairs))


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
