"""SHIFTS: the kinds of shifts by name, the built-in ones with their levels and doses, and those of plugins.

`python -m datasets doses --calibrate` and, for kinds that are not calibrated, `python -m datasets doses` made these
numbers, from the 113 healthy IXI T1 training scans on the published grid (2 mm).
"""

from datasets.errors import BadValue
from datasets.registry import Registry
from datasets.shifts.acquisition import bias, blur, ghosting, motion, noise, thickness
from datasets.shifts.representation import gamma, inversion, transfer, window
from datasets.shifts.shift import ShiftKind
from datasets.words import count_text

NONE = "none"
STAGES = ("acquisition", "representation")
COMMON_DOSES = (0.01, 0.02, 0.04, 0.06, 0.08)  # to which levels are calibrated

_BUILT_IN = (
    ShiftKind(
        name="bias",
        title="bias field",
        stage="acquisition",
        unit="log gain",
        what="gain between e ** -level and e ** level, smooth over the brain",
        levels=(0.053, 0.11, 0.21, 0.31, 0.41),
        doses=(0.0096, 0.02, 0.0389, 0.0587, 0.0791),
        change=bias,
    ),
    ShiftKind(
        name="noise",
        title="Rician noise",
        stage="acquisition",
        unit="of the brain's 99th percentile",
        what="standard deviation in each channel, as a share of the brain's brightest",
        levels=(0.01, 0.02, 0.04, 0.059, 0.079),
        doses=(0.0097, 0.0195, 0.04, 0.0597, 0.0802),
        change=noise,
    ),
    ShiftKind(
        name="blur",
        title="blur",
        stage="acquisition",
        unit="mm",
        what="full width at half maximum of a Gaussian filter",
        levels=(2.0, 2.3, 3.1, 4.1, 5.5),
        doses=(0.0113, 0.0201, 0.0409, 0.0593, 0.0792),
        change=blur,
    ),
    ShiftKind(
        name="thickness",
        title="thick slices",
        stage="acquisition",
        unit="mm",
        what="axial slices of that thickness, interpolated back",
        levels=(1.6, 2.3, 4.3, 7.0, 11.0),
        doses=(0.0095, 0.0197, 0.0392, 0.0598, 0.0804),
        change=thickness,
    ),
    ShiftKind(
        name="motion",
        title="motion",
        stage="acquisition",
        unit="degrees and mm",
        what="the head moves four times by up to that much along each axis",
        levels=(0.17, 0.38, 0.94, 2.1, 4.0),
        doses=(0.01, 0.0206, 0.0418, 0.0648, 0.0799),
        change=motion,
        module="torchio",
    ),
    ShiftKind(
        name="ghosting",
        title="ghosting",
        stage="acquisition",
        unit="of k-space",
        what="weakening of every third to sixth line in-plane",
        levels=(0.13, 0.25, 0.48, 0.71, 0.93),
        doses=(0.0095, 0.0186, 0.037, 0.056, 0.0742),
        change=ghosting,
        module="torchio",
        highest=1.0,
    ),
    ShiftKind(
        name="gamma",
        title="gamma",
        stage="representation",
        unit="exponent",
        what="x ** level, the published contrast levels",
        levels=(0.3, 0.5, 0.7, 1.5, 2.0),
        doses=(0.2176, 0.1428, 0.0792, 0.1018, 0.178),
        change=gamma,
        calibrated=False,
        identity=1.0,
        lowest=0.01,
        highest=100.0,
    ),
    ShiftKind(
        name="inversion",
        title="inversion",
        stage="representation",
        unit="of the way",
        what="from x to 1 - x",
        levels=(0.022, 0.044, 0.087, 0.13, 0.17),
        doses=(0.0101, 0.0202, 0.0399, 0.0596, 0.0779),
        change=inversion,
        highest=1.0,
    ),
    ShiftKind(
        name="window",
        title="dropped percentile window",
        stage="representation",
        unit="of the way",
        what="from scaling by percentiles to scaling by the brain's least and most",
        levels=(0.36, 0.65, 0.972, 0.996, 1.0),
        doses=(0.0099, 0.0196, 0.0384, 0.0624, 0.0847),
        change=window,
        highest=1.0,
    ),
    ShiftKind(
        name="transfer",
        title="histogram transfer",
        stage="representation",
        unit="of the way",
        what="from the scan's percentiles to another cohort's, straight between",
        levels=(0.2, 0.4, 0.6, 0.8, 1.0),
        change=transfer,
        calibrated=False,
        highest=1.0,
        to_cohort=True,
    ),
)


def _check(kind: ShiftKind) -> None:
    if kind.stage not in STAGES or len(kind.levels) != 5:
        raise BadValue(
            f"Shift '{kind.name}': got stage '{kind.stage}' and {count_text(len(kind.levels), 'level')}, expected "
            "stage acquisition or representation and five levels."
        )


SHIFTS = Registry(
    "shift",
    "uadbench.shifts",
    ShiftKind,
    {one.name: one for one in _BUILT_IN},
    check=_check,
    understood=[NONE],
    reserved=NONE,
)
