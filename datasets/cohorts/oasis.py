"""OASIS-1 scans of healthy adults from another site: a test-only control for what a site shift does."""

import re

from datasets.cohorts.downloads import Facts, Identity, Layout
from datasets.spec import DatasetSpec

# Five people were scanned twice; the second scan has a number of its own.
RESCANS = {1023: 1003, 1024: 1004, 1025: 1005, 1038: 1018, 1039: 1019}


def _identity(match: re.Match[str]) -> Identity:
    number = int(match["number"])
    return Identity(f"oasis{number}", f"oasis{RESCANS.get(number, number)}", "OASIS")


# Both training and test images of the MICCAI 2012 challenge; its labels (`1000_3_glm.nii`) are not read.
LAYOUT = Layout(
    title="OASIS (MICCAI 2012)",
    name=r"(?P<number>1\d{3})",
    identity=_identity,
    roles={"3": "t1"},
    looked_for="1000_3.nii and the like",
    facts=Facts(licence="CC BY-NC", aligned=True),
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
    raw_cases=LAYOUT.read,
)
