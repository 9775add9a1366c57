"""BraTS21: pre-operative gliomas of many sites, every sub-region fused to one lesion mask."""

import re

from datasets.case import Labels
from datasets.cohorts.downloads import Facts, Identity, Layout
from datasets.spec import DatasetSpec

TUMOUR = Labels(lesion=(1, 2, 3, 4))  # necrotic core, oedema, enhancing: 4, and 3 in the numbering of 2023


def _identity(match: re.Match[str]) -> Identity:
    return Identity(f"BraTS2021_{match['number']}", f"BraTS2021_{match['number']}")


# The organisers have stripped the skulls and registered all sequences to SRI24 on one grid of 1 mm.
LAYOUT = Layout(
    title="BraTS21",
    name=r"BraTS2021_(?P<number>\d{5})",
    identity=_identity,
    roles={"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair", "seg": "lesion_mask"},
    looked_for=(
        "BraTS2021_00000/BraTS2021_00000_{t1,t1ce,t2,flair,seg}.nii.gz and the like, or Test/Brats21/{t2,mask,seg}"
    ),
    facts=Facts(licence="CC BY 4.0", labels=TUMOUR, space="sri24", stripped=True, aligned=True),
    archive=("brats21", "brats", "brats2021"),
)

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
    raw_cases=LAYOUT.read,
)
