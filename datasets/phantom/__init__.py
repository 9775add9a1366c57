"""The phantom: simulated brains with known lesions, anatomically real, without any download."""

from datasets.phantom.cohort import LICENCE, NAME, write_phantom
from datasets.spec import DatasetSpec

__all__ = ["PHANTOM", "write_phantom"]

PHANTOM = DatasetSpec(
    name=NAME,
    title="Phantom",
    sequences=("t1", "t2", "flair"),
    healthy=None,
    licence=LICENCE,
    reference="Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033",
    url="https://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009",
    how_to_get="Simulate it: python -m datasets phantom --data DIR.",
    fitted_on=NAME,
    simulate=write_phantom,
)
