"""OASIS-1 scans of healthy adults from another site: a test-only control for what a site shift does."""

import re
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import NIFTI, Layout, Scan, gather
from datasets.spec import DatasetSpec

PATTERN = re.compile(rf"(^|/)(?P<number>1\d{{3}})_(?P<role>3){NIFTI}", re.IGNORECASE)
# Five people were scanned twice; the second scan has a number of its own.
RESCANS = {1023: 1003, 1024: 1004, 1025: 1005, 1038: 1018, 1039: 1019}


def raw_cases(root: Path) -> RawCohort:
    """`1000_3.nii` and the like of the MICCAI 2012 challenge, training and test images alike, below `root`.

    The challenge's labels (`1000_3_glm.nii`) are not read.
    """
    layout = Layout("OASIS (MICCAI 2012)", PATTERN, lambda match: match["number"], "1000_3.nii and the like")
    scans = gather(root, layout)
    return RawCohort(tuple(map(_raw_case, scans.scans)), scans.problems)


def _raw_case(scan: Scan) -> RawCase:
    number = int(scan.name)
    return RawCase(
        case_id=f"oasis{number}",
        subject_id=f"oasis{RESCANS.get(number, number)}",
        images={"t1": scan.files["3"]},
        drawn_on="t1",
        site="OASIS",
        licence="CC BY-NC",
        aligned=True,
    )


OASIS = DatasetSpec(
    name="oasis",
    title="OASIS-1",
    sequences=("t1",),
    healthy=True,
    licence="CC BY-NC",
    reference="Marcus et al. 2007, doi:10.1162/jocn.2007.19.9.1498",
    url="https://www.oasis-brains.org",
    how_to_get="Download the MICCAI 2012 multi-atlas scans of OASIS-1.",
    raw_cases=raw_cases,
)
