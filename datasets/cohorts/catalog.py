"""COHORTS: the data sets by name, built in or of plugins; and the folders of the user's own that this process knows."""

from pathlib import Path

from datasets.cohorts.user_folder import UserCohort, user_cohort
from datasets.errors import BadValue, UnknownName
from datasets.registry import Registry
from datasets.simulation.implants import PATTERN, implant_spec
from datasets.spec import DatasetSpec

COHORTS = Registry(
    "dataset",
    "uadbench.datasets",
    DatasetSpec,
    {
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
    },
)
_USER_COHORTS: dict[str, UserCohort] = {}  # named in this process, by --datasets NAME=FOLDER or a run folder


def dataset(name: str) -> DatasetSpec:
    """The spec called `name`, or with `name` among its aliases; `implant[NAME]` is derived from that of NAME.

    Raises:
        UnknownName: no data set has that name.
        BadValue: a plugin's entry point does not lead to a DatasetSpec.
    """
    if name in _USER_COHORTS:
        return _USER_COHORTS[name].spec
    implanted = PATTERN.fullmatch(name)
    if implanted:
        return implant_spec(dataset(implanted[1]))
    if name in COHORTS:
        return COHORTS[name]
    found = _by_alias(name)
    if found is None:
        raise UnknownName(COHORTS.kind, name, [*COHORTS, *_USER_COHORTS])
    return found


def dataset_argument(text: str) -> DatasetSpec:
    """The spec that a command line names: a known one, or a folder of the user's own as `NAME=FOLDER`.

    Raises:
        UserError: as `dataset` and `user_cohort`.
    """
    name, given, folder = text.partition("=")
    if given:
        add_user_cohort(user_cohort(name.strip(), Path(folder.strip())))
    return dataset(name.strip())


def add_user_cohort(own: UserCohort) -> None:
    """Make a cohort of the user's own known by its name in this process.

    Raises:
        BadValue: another cohort has that name.
    """
    if own.name in COHORTS or _by_alias(own.name):
        raise BadValue(
            f"dataset '{own.name}={own.home}': got the name of a cohort that there is, expected another one."
        )
    _USER_COHORTS[own.name] = own


def find_user_cohort(name: str) -> UserCohort | None:
    """The cohort of the user's own with that name in this process."""
    return _USER_COHORTS.get(name)


def _by_alias(name: str) -> DatasetSpec | None:
    """A broken plugin has no alias."""
    return next((spec for spec in COHORTS.usable().values() if name in spec.aliases), None)
