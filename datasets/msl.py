"""MSLUB (3D-MR-MS): multiple sclerosis, 30 patients of Ljubljana with consensus masks."""

from datasets.spec import DatasetSpec

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
)
