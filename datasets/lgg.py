"""TCGA low-grade gliomas with masks of the FLAIR abnormality."""

from datasets.spec import DatasetSpec

LGG = DatasetSpec(
    name="lgg",
    title="TCGA-LGG",
    sequences=("t1", "t1ce", "flair"),
    healthy=False,
    licence="images CC BY 3.0; masks CC BY-NC-SA 4.0",
    reference="Pedano et al. 2016 (TCIA); Buda et al. 2019, doi:10.1016/j.compbiomed.2019.05.002",
    url="https://www.cancerimagingarchive.net/collection/tcga-lgg",
    how_to_get="Download the kaggle_3m slices and masks of Buda et al. (2019).",
)
