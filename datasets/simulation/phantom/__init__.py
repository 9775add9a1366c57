"""The phantom: simulated brains with known lesions, anatomically real, without any download."""

from functools import partial

from datasets.simulation.phantom.cohort import LICENCE, cohort_name, write_phantom
from datasets.simulation.phantom.subject import FAMILIES, PLAIN
from datasets.spec import DatasetSpec

__all__ = ["GLIOMA", "MS", "PHANTOM", "STROKE", "WMH", "write_phantom"]


def _spec(variant: str) -> DatasetSpec:
    name, option = cohort_name(variant), "" if variant == PLAIN else f" --variant {variant}"
    return DatasetSpec(
        name=name,
        title=FAMILIES[variant].title,
        sequences=("t1", "t2", "flair"),
        healthy=None if variant == PLAIN else False,
        licence=LICENCE,
        reference=FAMILIES[variant].reference,
        url="https://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009",
        how_to_get=f"Simulate it: python -m datasets phantom{option} --data DIR.",
        fitted_on=cohort_name(PLAIN),
        simulate=partial(write_phantom, variant=variant),
    )


PHANTOM = _spec(PLAIN)
GLIOMA, MS, STROKE, WMH = _spec("glioma"), _spec("ms"), _spec("stroke"), _spec("wmh")
