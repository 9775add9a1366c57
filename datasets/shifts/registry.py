"""Names of kinds of shifts to what they do, built in or from the entry-point group `uadbench.shifts`."""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from datasets.errors import BadValue, UnknownName
from datasets.shifts.kind import ShiftKind
from datasets.shifts.kinds import BUILT_IN

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
