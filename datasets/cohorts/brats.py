"""BraTS21: pre-operative gliomas of many sites, every sub-region fused to one lesion mask."""

import re
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import NIFTI, Layout, Scan, archived, gather
from datasets.spec import DatasetSpec

SEQUENCES = ("t1", "t1ce", "t2", "flair")
NAME = re.compile(r"BraTS2021_(?P<number>\d{5})", re.IGNORECASE)
TUMOUR = (1, 2, 4)  # necrotic core, oedema, enhancing


def raw_cases(root: Path) -> RawCohort:
    """`BraTS2021_00000/BraTS2021_00000_{t1,t1ce,t2,flair,seg}.nii.gz` below `root`; or the prepared archive.

    The organisers have stripped the skulls and registered all sequences to SRI24 on one grid of 1 mm.
    """
    found = archived(root, "BraTS21", ("brats21", "brats", "brats2021"), _identity)
    if found is not None:
        return found
    pattern = re.compile(rf"(^|/){NAME.pattern}_(?P<role>t1ce|t1|t2|flair|seg){NIFTI}", re.IGNORECASE)
    wanted = "BraTS2021_00000/BraTS2021_00000_{t1,t1ce,t2,flair,seg}.nii.gz and the like, or Test/Brats21/{t2,mask,seg}"
    layout = Layout("BraTS21", pattern, lambda match: f"BraTS2021_{match['number']}", wanted)
    scans = gather(root, layout).having("seg", any_of=SEQUENCES)
    return RawCohort(tuple(map(_raw_case, scans.scans)), (*scans.problems, *scans.lacking(SEQUENCES)))


def _raw_case(scan: Scan) -> RawCase:
    images = {role: path for role, path in scan.files.items() if role in SEQUENCES}
    return RawCase(
        case_id=scan.name,
        subject_id=scan.name,
        images=images,
        drawn_on=next(iter(images)),
        licence="CC BY 4.0",
        lesion_mask=scan.files["seg"],
        lesion_labels=TUMOUR,
        space="sri24",
        stripped=True,
        aligned=True,
    )


def _identity(name: str) -> tuple[str, str, str] | None:
    match = NAME.match(name)
    return (f"BraTS2021_{match['number']}", f"BraTS2021_{match['number']}", "") if match else None


BRATS = DatasetSpec(
    name="brats",
    title="BraTS21",
    sequences=("t1", "t1ce", "t2", "flair"),
    healthy=False,
    licence="CC BY 4.0, after registration",
    reference="Baid et al. 2021, arXiv 2107.02314",
    url="https://www.synapse.org/brats",
    how_to_get="Register for BraTS 2021 at synapse.org.",
    aliases=("brats21",),
    raw_cases=raw_cases,
)
