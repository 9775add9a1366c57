"""What `list` shows: methods, datasets, metrics and protocols, with nothing imported that is not needed."""

from collections.abc import Callable, Mapping

from datasets.errors import BadValue

Listing = list[dict[str, object]]


def methods() -> Listing:
    from benchmark.registry import methods as known

    return [{"name": one.name, "title": one.title, "target": one.target} for one in known().values()]


def datasets() -> Listing:
    """Every cohort; one that cannot be imported says so in its title."""
    from datasets.catalog import targets

    return [_dataset(name) for name in targets()]


def metrics() -> Listing:
    from benchmark.metrics import METRICS

    return [
        {
            "name": one.name,
            "title": one.title,
            "what": one.what,
            "unit": one.unit,
            "higher_is_better": one.higher_is_better,
        }
        for one in METRICS.values()
    ]


def protocols() -> Listing:
    from benchmark.thresholds import PROTOCOLS

    return [{"name": one.name, "title": one.title, "what": one.what, "uses": one.uses} for one in PROTOCOLS.values()]


LISTS: Mapping[str, Callable[[], Listing]] = {
    "methods": methods,
    "datasets": datasets,
    "metrics": metrics,
    "protocols": protocols,
}


def _dataset(name: str) -> dict[str, object]:
    from datasets.catalog import dataset

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
