"""BraTS21: pre-operative gliomas of many sites, every sub-region fused to one lesion mask."""

from datasets.spec import DatasetSpec

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
)
