"""WMH challenge: white-matter hyperintensities of presumed vascular origin, three sites."""

from datasets.spec import DatasetSpec

WMH = DatasetSpec(
    name="wmh",
    title="WMH challenge",
    sequences=("t1", "flair"),
    healthy=False,
    licence="CC BY-NC 4.0, after registration",
    reference="Kuijf et al. 2019, doi:10.1109/TMI.2019.2905770",
    url="https://wmh.isi.uu.nl",
    how_to_get="Get it from dataverse.nl (doi:10.34894/AECRSD).",
)
