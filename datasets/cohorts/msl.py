"""MSLUB (3D-MR-MS): multiple sclerosis, 30 patients of Ljubljana with consensus masks."""

import re

from datasets.cohorts.downloads import Facts, Identity, Layout
from datasets.spec import DatasetSpec

SITE = "UMCL"


def _identity(match: re.Match[str]) -> Identity:
    patient = f"patient{int(match['number']):02}"
    return Identity(patient, patient, SITE)


# A patient's images are registered to the FLAIR, on which the consensus mask is drawn. What the download keeps as
# acquired, in folders called `raw`, is not read.
LAYOUT = Layout(
    title="MSLUB",
    before="^(?!.*(^|/)raw/)(.*/)?",
    name=r"patient_?(?P<number>\d+)",
    identity=_identity,
    roles={
        "t1w": "t1",
        "t1wks": "t1ce",
        "t2w": "t2",
        "flair": "flair",
        "brainmask": "brain_mask",
        "consensus_gt": "lesion_mask",
    },
    looked_for=(
        "patient01/patient01_{T1W,T2W,FLAIR,brainmask,consensus_gt}.nii.gz and the like, or Test/MSLUB/{t2,mask,seg}"
    ),
    facts=Facts(licence="CC BY 4.0", aligned=True),
    archive=("mslub", "msl", "3d-mr-ms"),
)

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
    raw_cases=LAYOUT.read,
)
