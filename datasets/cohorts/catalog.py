"""Names of cohorts to their specs, built in or from the entry-point group `uadbench.datasets`."""

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from datasets.cohorts.own import OwnCohort, own_cohort
from datasets.errors import BadValue, UnknownName
from datasets.simulation.implants import PATTERN, implant_spec
from datasets.spec import DatasetSpec

GROUP = "uadbench.datasets"
BUILT_IN = {
    "ixi": "datasets.cohorts.ixi:IXI",
    "brats": "datasets.cohorts.brats:BRATS",
    "msl": "datasets.cohorts.msl:MSL",
    "atlas": "datasets.cohorts.atlas:ATLAS",
    "wmh": "datasets.cohorts.wmh:WMH",
    "lgg": "datasets.cohorts.lgg:LGG",
    "oasis": "datasets.cohorts.oasis:OASIS",
    "phantom": "datasets.simulation.phantom:PHANTOM",
    "phantom-glioma": "datasets.simulation.phantom:GLIOMA",
    "phantom-ms": "datasets.simulation.phantom:MS",
    "phantom-stroke": "datasets.simulation.phantom:STROKE",
    "phantom-wmh": "datasets.simulation.phantom:WMH",
}
_ADOPTED: dict[str, OwnCohort] = {}  # what this process was told of, by --datasets NAME=FOLDER or a run folder


def targets() -> dict[str, str]:
    """Every known cohort's name and its `module:attribute`; built-ins cannot be replaced."""
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    return found | BUILT_IN


def dataset(name: str) -> DatasetSpec:
    """The spec called `name`, or having it among its aliases; `implant[NAME]` is made of NAME's.

    Raises:
        UnknownName: nothing is called so.
        BadValue: a plugin's entry point does not lead to a DatasetSpec.
    """
    if name in _ADOPTED:
        return _ADOPTED[name].spec
    implanted = PATTERN.fullmatch(name)
    if implanted:
        return implant_spec(dataset(implanted[1]))
    known = targets()
    key = name if name in known else _by_alias(name)
    if key is None:
        raise UnknownName("dataset", name, [*known, *_ADOPTED])
    return _load(key, known[key])


def chosen(text: str) -> DatasetSpec:
    """The spec that a command line names: a known one, or a folder of the user's own as `NAME=FOLDER`.

    Raises:
        UserError: as `dataset` and `own_cohort`.
    """
    name, given, folder = text.partition("=")
    if given:
        adopt(own_cohort(name.strip(), Path(folder.strip())))
    return dataset(name.strip())


def adopt(own: OwnCohort) -> None:
    """Make a cohort of the user's own known by its name in this process.

    Raises:
        BadValue: another cohort is called so.
    """
    known = targets()
    if own.name in known or _by_alias(own.name):
        raise BadValue(f"dataset '{own.name}={own.home}': got the name of a cohort that there is, wanted another one.")
    _ADOPTED[own.name] = own


def adopted(name: str) -> OwnCohort | None:
    """The cohort of the user's own that is called so in this process."""
    return _ADOPTED.get(name)


def _by_alias(name: str) -> str | None:
    for key, target in targets().items():
        try:
            if name in _load(key, target).aliases:
                return key
        except BadValue:  # a broken plugin has no alias
            continue
    return None


def _load(name: str, target: str) -> DatasetSpec:
    module, _, attribute = target.partition(":")
    try:
        spec = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a plugin raises while it is imported costs only itself
        raise BadValue(f"Dataset '{name}' ({target}) cannot be imported: {error}.") from error
    if not isinstance(spec, DatasetSpec):
        raise BadValue(f"Dataset '{name}' ({target}): got {type(spec).__name__}, wanted a DatasetSpec.")
    return spec
