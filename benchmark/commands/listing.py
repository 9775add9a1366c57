"""What `list` shows: methods, datasets, metrics, protocols and shifts, with nothing imported that is not needed."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import BadValue

if TYPE_CHECKING:
    from benchmark.methods.registry import Method

Listing = list[dict[str, object]]


def methods(plugins: Iterable[Path] = (), *, check: bool = False) -> Listing:
    """Every method; plugins say where they come from, and with `check` broken ones what is wrong with them."""
    from benchmark.methods.built_in import methods as known

    return [_method(one, check) for one in known(plugins).values()]


def datasets() -> Listing:
    """Every cohort; one that cannot be imported says so in its title."""
    from datasets.cohorts.catalog import targets

    return [_dataset(name) for name in targets()]


def metrics() -> Listing:
    from benchmark.metrics import METRICS

    return [
        {
            "name": one.name,
            "title": one.title,
            "what": one.what,
            "over": one.over,
            "undefined": one.undefined,
            "unit": one.unit,
            "higher_is_better": one.higher_is_better,
        }
        for one in METRICS.values()
    ]


def protocols() -> Listing:
    from benchmark.study.protocols import PROTOCOLS

    return [{"name": one.name, "title": one.title, "what": one.what, "uses": one.uses} for one in PROTOCOLS.values()]


def shifts() -> Listing:
    """Every kind of shift; one that cannot be imported says so in its title."""
    from datasets.shifts.registry import names

    return [_shift(name) for name in names()]


LISTS: Mapping[str, Callable[[], Listing]] = {
    "methods": methods,
    "datasets": datasets,
    "metrics": metrics,
    "protocols": protocols,
    "shifts": shifts,
}


def _method(method: "Method", check: bool) -> dict[str, object]:
    listed: dict[str, object] = {"name": method.name, "title": method.title, "target": method.target}
    if method.origin is not None:
        listed |= {"what": f"plugin: {method.origin}", "origin": method.origin}
    trouble = _trouble(method) if check else method.trouble
    return listed if trouble is None else listed | {"title": f"BROKEN: {trouble}"}


def _trouble(method: "Method") -> str | None:
    from benchmark.methods.hyperparameters import own_presets
    from benchmark.methods.registry import UnusableMethod, load

    try:
        own_presets(method, load(method))
    except UnusableMethod as error:
        return str(error)
    return None


def _shift(name: str) -> dict[str, object]:
    from datasets.shifts.registry import kind

    try:
        one = kind(name)
    except BadValue as error:
        return {"name": name, "title": f"BROKEN: {error}"}
    levels = ", ".join(f"{level:g}" for level in one.levels)
    return {
        "name": name,
        "title": one.title,
        "what": f"{one.stage}; {levels} ({one.unit}): {one.what}",
        "stage": one.stage,
        "unit": one.unit,
        "levels": one.levels,
        "doses": one.doses,
    }


def _dataset(name: str) -> dict[str, object]:
    from datasets.cohorts.catalog import dataset

    try:
        spec = dataset(name)
    except BadValue as error:
        return {"name": name, "title": f"BROKEN: {error}"}
    state = {True: "healthy", False: "with lesions", None: "healthy and with lesions"}[spec.healthy]
    return {
        "name": name,
        "title": spec.title,
        "what": f"{state}; {', '.join(spec.sequences)}",
        "sequences": spec.sequences,
        "healthy": spec.healthy,
        "url": spec.url,
    }
