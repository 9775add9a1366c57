"""OASIS-1 scans of healthy adults from another site: a test-only control for what a site shift does."""

from datasets.spec import DatasetSpec

OASIS = DatasetSpec(
    name="oasis",
    title="OASIS-1",
    sequences=("t1",),
    healthy=True,
    licence="CC BY-NC",
    reference="Marcus et al. 2007, doi:10.1162/jocn.2007.19.9.1498",
    url="https://www.oasis-brains.org",
    how_to_get="Download the MICCAI 2012 multi-atlas scans of OASIS-1.",
)
