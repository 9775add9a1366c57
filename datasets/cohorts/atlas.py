"""ATLAS v2.0: T1 scans after stroke with manual lesion masks."""

import re

from datasets.cohorts.downloads import Facts, Identity, Layout
from datasets.spec import DatasetSpec


def _identity(match: re.Match[str]) -> Identity:
    """The site is the cohort of ATLAS with which a subject's number begins, such as `r001`."""
    case_id = "_".join(part.lower() for part in (match["subject"], match["session"]) if part)
    return Identity(case_id, match["subject"].lower(), match["site"].lower())


# Scans are in MNI space, with skull and without face. The release's test scans have no mask and are skipped.
LAYOUT = Layout(
    title="ATLAS v2.0",
    name=r"(?P<subject>sub-(?P<site>r\d{3})s\d{3})(_(?P<session>ses-\d+))?",
    after="(_[^/]*)?_",
    identity=_identity,
    roles={"t1w": "t1", "desc-t1lesion_mask": "lesion_mask"},
    looked_for="sub-r001s001/ses-1/anat/*_T1w.nii.gz and *_desc-T1lesion_mask.nii.gz, or Test/ATLAS_v2/{t1,mask,seg}",
    facts=Facts(licence="INDI data use agreement", space="mni", aligned=True),
    archive=("atlas", "atlas_v2", "atlas_2", "atlas_v2.0", "atlas2.0", "atlas2"),
)

ATLAS = DatasetSpec(
    name="atlas",
    title="ATLAS v2.0",
    sequences=("t1",),
    healthy=False,
    licence="INDI data use agreement, after registration",
    reference="Liew et al. 2022, doi:10.1038/s41597-022-01401-7",
    url="https://fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
    how_to_get="Register for ATLAS v2.0 at INDI (nitrc.org).",
    raw_cases=LAYOUT.read,
)
