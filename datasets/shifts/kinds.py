"""BUILT_IN: the kinds of shifts, their levels and the doses measured at them."""

from collections.abc import Mapping

from datasets.shifts.acquisition import bias, blur, ghosting, motion, noise, thickness
from datasets.shifts.kind import ShiftKind
from datasets.shifts.levels import DOSES, LEVELS
from datasets.shifts.representation import gamma, inversion, transfer, window

COMMON_DOSES = (0.01, 0.02, 0.04, 0.06, 0.08)

BUILT_IN: Mapping[str, ShiftKind] = {
    one.name: one
    for one in (
        ShiftKind(
            "bias", "bias field", "acquisition", "log gain", LEVELS["bias"],
            "gain between e ** -level and e ** level, smooth over the brain", bias, doses=DOSES["bias"],
        ),
        ShiftKind(
            "noise", "Rician noise", "acquisition", "of the brain's 99th percentile", LEVELS["noise"],
            "standard deviation in each channel, as a share of the brain's brightest", noise, doses=DOSES["noise"],
        ),
        ShiftKind(
            "blur", "blur", "acquisition", "mm", LEVELS["blur"],
            "full width at half maximum of a Gaussian filter", blur, doses=DOSES["blur"],
        ),
        ShiftKind(
            "thickness", "thick slices", "acquisition", "mm", LEVELS["thickness"],
            "axial slices of that thickness, interpolated back", thickness, doses=DOSES["thickness"],
        ),
        ShiftKind(
            "motion", "motion", "acquisition", "degrees and mm", LEVELS["motion"],
            "the head moves four times by up to that much along each axis", motion, doses=DOSES["motion"],
        ),
        ShiftKind(
            "ghosting", "ghosting", "acquisition", "of k-space", LEVELS["ghosting"],
            "weakening of every third to sixth line in-plane", ghosting, doses=DOSES["ghosting"], highest=1.0,
        ),
        ShiftKind(
            "gamma", "gamma", "representation", "exponent", LEVELS["gamma"],
            "x ** level, the published contrast levels", gamma, doses=DOSES["gamma"],
            calibrated=False, identity=1.0, lowest=0.01, highest=100.0,
        ),
        ShiftKind(
            "inversion", "inversion", "representation", "of the way", LEVELS["inversion"],
            "from x to 1 - x", inversion, doses=DOSES["inversion"], highest=1.0,
        ),
        ShiftKind(
            "window", "dropped percentile window", "representation", "of the way", LEVELS["window"],
            "from scaling by percentiles to scaling by the brain's least and most", window,
            doses=DOSES["window"], highest=1.0,
        ),
        ShiftKind(
            "transfer", "histogram transfer", "representation", "of the way", LEVELS["transfer"],
            "from the scan's percentiles to another cohort's, straight between", transfer,
            calibrated=False, highest=1.0, to_cohort=True,
        ),
    )
}  # fmt: skip
