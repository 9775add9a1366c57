"""ATLAS v2.0: T1 scans after stroke with manual lesion masks."""

from datasets.spec import DatasetSpec

ATLAS = DatasetSpec(
    name="atlas",
    title="ATLAS v2.0",
    sequences=("t1",),
    healthy=False,
    licence="INDI data use agreement, after registration",
    reference="Liew et al. 2022, doi:10.1038/s41597-022-01401-7",
    url="https://fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
    how_to_get="Register for ATLAS v2.0 at INDI (nitrc.org).",
)
