"""IXI: healthy adults from three London hospitals."""

from datasets.spec import DatasetSpec

IXI = DatasetSpec(
    name="ixi",
    title="IXI",
    sequences=("t1", "t2"),
    healthy=True,
    licence="CC BY-SA 3.0",
    reference="Information eXtraction from Images, EPSRC GR/S21533/02",
    url="https://brain-development.org/ixi-dataset",
    how_to_get="Download it from brain-development.org/ixi-dataset (open).",
)
