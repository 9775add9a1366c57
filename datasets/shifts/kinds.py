"""BUILT_IN: the kinds of shifts, their levels and the doses measured at them."""

from collections.abc import Mapping

from datasets.shifts.acquisition import bias, blur, ghosting, motion, noise, thickness
from datasets.shifts.kind import ShiftKind
from datasets.shifts.representation import gamma, inversion, transfer, window

COMMON_DOSES = (0.01, 0.02, 0.04, 0.06, 0.08)

BUILT_IN: Mapping[str, ShiftKind] = {
    one.name: one
    for one in (
        ShiftKind(
            "bias", "bias field", "acquisition", "log gain", (0.05, 0.1, 0.2, 0.4, 0.8),
            "gain between e ** -level and e ** level, smooth over the brain", bias,
        ),
        ShiftKind(
            "noise", "Rician noise", "acquisition", "of the brain's 99th percentile", (0.01, 0.02, 0.05, 0.1, 0.2),
            "standard deviation in each channel, as a share of the brain's brightest", noise,
        ),
        ShiftKind(
            "blur", "blur", "acquisition", "mm", (2, 4, 6, 8, 12),
            "full width at half maximum of a Gaussian filter", blur,
        ),
        ShiftKind(
            "thickness", "thick slices", "acquisition", "mm", (2, 4, 6, 8, 12),
            "axial slices of that thickness, interpolated back", thickness,
        ),
        ShiftKind(
            "motion", "motion", "acquisition", "degrees and mm", (1, 2, 4, 8, 12),
            "the head moves four times by up to that much along each axis", motion,
        ),
        ShiftKind(
            "ghosting", "ghosting", "acquisition", "of k-space", (0.1, 0.2, 0.4, 0.8, 1),
            "weakening of every third to sixth line in-plane", ghosting, highest=1.0,
        ),
        ShiftKind(
            "gamma", "gamma", "representation", "exponent", (0.3, 0.5, 0.7, 1.5, 2.0),
            "x ** level, the published contrast levels", gamma,
            calibrated=False, identity=1.0, lowest=0.01, highest=100.0,
        ),
        ShiftKind(
            "inversion", "inversion", "representation", "of the way", (0.1, 0.2, 0.3, 0.5, 1.0),
            "from x to 1 - x", inversion, highest=1.0,
        ),
        ShiftKind(
            "window", "dropped percentile window", "representation", "of the way", (0.2, 0.4, 0.6, 0.8, 1.0),
            "from scaling by percentiles to scaling by the brain's least and most", window, highest=1.0,
        ),
        ShiftKind(
            "transfer", "histogram transfer", "representation", "of the way", (0.2, 0.4, 0.6, 0.8, 1.0),
            "from the scan's percentiles to another cohort's, straight between", transfer,
            calibrated=False, highest=1.0, to_cohort=True,
        ),
    )
}  # fmt: skip
