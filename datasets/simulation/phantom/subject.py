"""All families of simulated lesions by the name of their variant."""

from collections.abc import Mapping

import numpy as np

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.glioma_family import GLIOMA
from datasets.simulation.phantom.lesion_family import Affected, Family
from datasets.simulation.phantom.ms import MS
from datasets.simulation.phantom.plain import draw_lesions
from datasets.simulation.phantom.stroke import STROKE
from datasets.simulation.phantom.wmh import WMH

PLAIN = "plain"


def _draw_plain(anatomy: Anatomy, index: int, rng: np.random.Generator) -> Affected:
    return Affected(anatomy, draw_lesions(anatomy, index, rng))


FAMILIES: Mapping[str, Family] = {
    PLAIN: Family(
        title="Phantom",
        prefix="lesion",
        stream=0,
        ages=None,
        draw=_draw_plain,
        reference="Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033",
        regions={},
        cases=8,
    ),
    "glioma": GLIOMA,
    "ms": MS,
    "stroke": STROKE,
    "wmh": WMH,
}
