"""ATLAS v2.0: T1 scans after stroke with manual lesion masks."""

import re
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import NIFTI, Layout, Scan, archived, gather
from datasets.spec import DatasetSpec

NAME = re.compile(r"(?P<subject>sub-(?P<site>r\d{3})s\d{3})(_(?P<session>ses-\d+))?", re.IGNORECASE)
ROLES = {"t1w": "t1", "desc-t1lesion_mask": "lesion_mask"}


def raw_cases(root: Path) -> RawCohort:
    """`sub-*/ses-1/anat/*_T1w.nii.gz` with `*_desc-T1lesion_mask.nii.gz`, in any folder; or the prepared archive.

    Scans are in MNI space, with skull and without face. The release's test scans have no mask and are
    passed over.
    """
    found = archived(
        root, "ATLAS v2.0", ("atlas", "atlas_v2", "atlas_2", "atlas_v2.0", "atlas2.0", "atlas2"), _identity
    )
    if found is not None:
        return found
    pattern = re.compile(rf"(^|/){NAME.pattern}(_[^/]*)?_(?P<role>T1w|desc-T1lesion_mask){NIFTI}", re.IGNORECASE)
    wanted = "sub-r001s001/ses-1/anat/*_T1w.nii.gz and *_desc-T1lesion_mask.nii.gz, or Test/ATLAS_v2/{t1,mask,seg}"
    scans = gather(root, Layout("ATLAS v2.0", pattern, _case_id, wanted))
    scans = scans.having("t1w").having("desc-t1lesion_mask", what="a lesion mask")
    return RawCohort(tuple(map(_raw_case, scans.scans)), scans.problems)


def _raw_case(scan: Scan) -> RawCase:
    case_id, subject_id, site = _identity(scan.name) or (scan.name, scan.name, "")
    return RawCase(
        case_id=case_id,
        subject_id=subject_id,
        images={"t1": scan.files["t1w"]},
        drawn_on="t1",
        site=site,
        licence="INDI data use agreement",
        lesion_mask=scan.files["desc-t1lesion_mask"],
        space="mni",
        aligned=True,
    )


def _case_id(match: re.Match[str]) -> str:
    return "_".join(part.lower() for part in (match["subject"], match["session"]) if part)


def _identity(name: str) -> tuple[str, str, str] | None:
    """The site is the cohort of ATLAS that a subject's number begins with, such as `r001`."""
    match = NAME.search(name)
    return (_case_id(match), match["subject"].lower(), match["site"].lower()) if match else None


ATLAS = DatasetSpec(
    name="atlas",
    title="ATLAS v2.0",
    sequences=("t1",),
    healthy=False,
    licence="INDI data use agreement, after registration",
    reference="Liew et al. 2022, doi:10.1038/s41597-022-01401-7",
    url="https://fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
    how_to_get="Register for ATLAS v2.0 at INDI (nitrc.org).",
    raw_cases=raw_cases,
)
