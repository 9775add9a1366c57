"""MSLUB (3D-MR-MS): multiple sclerosis, 30 patients of Ljubljana with consensus masks."""

import re
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import NIFTI, Layout, Scan, archived, gather
from datasets.spec import DatasetSpec

SITE = "UMCL"
NAME = re.compile(r"patient_?(?P<number>\d+)", re.IGNORECASE)
ROLES = {"t1w": "t1", "t1wks": "t1ce", "t2w": "t2", "flair": "flair"}


def raw_cases(root: Path) -> RawCohort:
    """`patientNN/patientNN_{T1W,T1WKS,T2W,FLAIR,brainmask,consensus_gt}.nii.gz`; or the prepared archive.

    Images of a patient are registered to the FLAIR, where the consensus mask is drawn. What the
    download keeps as acquired, in folders called `raw`, is passed over.
    """
    found = archived(root, "MSLUB", ("mslub", "msl", "3d-mr-ms"), _identity)
    if found is not None:
        return found
    roles = "|".join([*sorted(ROLES, reverse=True), "brainmask", "consensus_gt"])
    pattern = re.compile(rf"^(?!.*(^|/)raw/)(.*/)?{NAME.pattern}_(?P<role>{roles}){NIFTI}", re.IGNORECASE)
    wanted = (
        "patient01/patient01_{T1W,T2W,FLAIR,brainmask,consensus_gt}.nii.gz and the like, or Test/MSLUB/{t2,mask,seg}"
    )
    scans = gather(root, Layout("MSLUB", pattern, _patient, wanted)).having("consensus_gt", any_of=tuple(ROLES))
    return RawCohort(tuple(map(_raw_case, scans.scans)), (*scans.problems, *scans.lacking((*ROLES, "brainmask"))))


def _raw_case(scan: Scan) -> RawCase:
    images = {ROLES[role]: path for role, path in scan.files.items() if role in ROLES}
    return RawCase(
        case_id=scan.name,
        subject_id=scan.name,
        images=images,
        drawn_on="flair" if "flair" in images else next(iter(images)),
        site=SITE,
        licence="CC BY 4.0",
        lesion_mask=scan.files["consensus_gt"],
        brain_mask=scan.files.get("brainmask"),
        aligned=True,
    )


def _patient(match: re.Match[str]) -> str:
    return f"patient{int(match['number']):02}"


def _identity(name: str) -> tuple[str, str, str] | None:
    match = NAME.search(name)
    return (_patient(match), _patient(match), SITE) if match else None


MSL = DatasetSpec(
    name="msl",
    title="MSLUB",
    sequences=("t1", "t1ce", "t2", "flair"),
    healthy=False,
    licence="CC BY 4.0",
    reference="Lesjak et al. 2018, doi:10.1007/s12021-017-9348-7",
    url="https://lit.fe.uni-lj.si/en/research/resources/3D-MR-MS",
    how_to_get="Download it from lit.fe.uni-lj.si (open).",
    aliases=("mslub",),
    raw_cases=raw_cases,
)
