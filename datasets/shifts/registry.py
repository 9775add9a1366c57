"""Names of kinds of shifts to what they do, built in or from the entry-point group `uadbench.shifts`."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from datasets.errors import BadValue, UnknownName
from datasets.shifts.acquisition import bias, blur, ghosting, motion, noise, thickness
from datasets.shifts.representation import gamma, inversion, transfer, window
from datasets.shifts.shift import ShiftKind

GROUP = "uadbench.shifts"
NONE = "none"


def names() -> list[str]:
    """Every known kind, the built-in ones first; a plugin cannot replace one of them."""
    return [*BUILT_IN, *(name for name in sorted(_plugins()) if name not in BUILT_IN)]


def kind(name: str) -> ShiftKind:
    """The kind called `name`.

    Raises:
        UnknownName: nothing is called so.
        BadValue: a plugin's entry point does not lead to a ShiftKind that can be used, or two claim the name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    points = _plugins().get(name)
    if points is None:
        raise UnknownName("shift", name, [NONE, *names()])
    if len(points) > 1:
        owners = " and ".join(sorted(_distribution(point) for point in points))
        raise BadValue(f"Shift '{name}': got it from {owners}, wanted one of them: uninstall the other.")
    return _load(points[0])


def origin(name: str) -> str:
    """A plugin's distribution and version; "" for a built-in kind."""
    return "" if name in BUILT_IN else _distribution(_plugins()[name][0])


def _plugins() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _load(point: EntryPoint) -> ShiftKind:
    module, _, attribute = point.value.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a plugin raises while it is imported costs only itself
        raise BadValue(f"Shift '{point.name}' ({point.value}) cannot be imported: {error}.") from error
    if not isinstance(found, ShiftKind):
        raise BadValue(f"Shift '{point.name}' ({point.value}): got {type(found).__name__}, wanted a ShiftKind.")
    if found.name != point.name or found.stage not in ("acquisition", "representation") or len(found.levels) != 5:
        got = f"a kind called '{found.name}' in stage '{found.stage}' with {len(found.levels)} levels"
        raise BadValue(
            f"Shift '{point.name}' ({point.value}): got {got}, "
            "wanted one of the entry point's name, in stage acquisition or representation, with five levels."
        )
    return found


LEVELS: Mapping[str, tuple[float, ...]] = {
    "bias": (0.053, 0.11, 0.21, 0.31, 0.41),
    "noise": (0.01, 0.02, 0.04, 0.059, 0.079),
    "blur": (2.0, 2.3, 3.1, 4.1, 5.5),
    "thickness": (1.6, 2.3, 4.3, 7.0, 11.0),
    "motion": (0.17, 0.38, 0.94, 2.1, 4.0),
    "ghosting": (0.13, 0.25, 0.48, 0.71, 0.93),
    "gamma": (0.3, 0.5, 0.7, 1.5, 2.0),
    "inversion": (0.022, 0.044, 0.087, 0.13, 0.17),
    "window": (0.36, 0.65, 0.972, 0.996, 1.0),
    "transfer": (0.2, 0.4, 0.6, 0.8, 1.0),
}

DOSES: Mapping[str, tuple[float, ...]] = {
    "bias": (0.0096, 0.02, 0.0389, 0.0587, 0.0791),
    "noise": (0.0097, 0.0195, 0.04, 0.0597, 0.0802),
    "blur": (0.0113, 0.0201, 0.0409, 0.0593, 0.0792),
    "thickness": (0.0095, 0.0197, 0.0392, 0.0598, 0.0804),
    "motion": (0.01, 0.0206, 0.0418, 0.0648, 0.0799),
    "ghosting": (0.0095, 0.0186, 0.037, 0.056, 0.0742),
    "gamma": (0.2176, 0.1428, 0.0792, 0.1018, 0.178),
    "inversion": (0.0101, 0.0202, 0.0399, 0.0596, 0.0779),
    "window": (0.0099, 0.0196, 0.0384, 0.0624, 0.0847),
}


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
