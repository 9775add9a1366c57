"""What changed since an earlier run: settings, versions, methods, and each method's numbers, paired by patient."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import endpoint_choices
from benchmark.statistics.intervals.mean import interval, limits
from benchmark.statistics.pairing import aligned, pair
from benchmark.statistics.panel import TRAINED_MODEL, Choice, Panel
from benchmark.statistics.primary_endpoint import Endpoint, read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells, kept_scoring
from benchmark.storage.run_tables import read_run_record
from datasets.errors import MissingData
from datasets.io.atomic import read_json


@dataclass(frozen=True)
class Difference:
    """One fact that is not the same; "" for what is not there."""

    what: str
    before: str
    now: str


@dataclass(frozen=True)
class MethodChange:
    """One method's number in both runs, and the paired difference now - before.

    Attributes:
        n: patients with a number under each of the seeds in both runs; 0 where there is none.
        seeds: common ones that have a number of any patient in both.
        before, now: means over these patients.
        low, high: bootstrap-t over patients, the fits as they are; NaN without one.
        same_fits: whether the method's fits have the same keys: a difference is then of maps or scoring.
    """

    choice: Choice
    method: str
    n: int
    seeds: int
    before: float
    now: float
    difference: float
    low: float
    high: float
    same_fits: bool


@dataclass(frozen=True)
class Changes:
    """Everything that changed.

    Attributes:
        name: of the earlier run.
        moved: of methods that both runs have, under the choices that the report gives intervals of.
    """

    name: str
    facts: tuple[Difference, ...]
    moved: tuple[MethodChange, ...]


def changes_since(run: RunFolder, earlier: RunFolder) -> Changes:
    """Compare a run with an earlier one.

    Raises:
        MissingData: nothing has been scored in one of them.
    """
    endpoint = read_endpoint()
    facts = [one for one in _facts(earlier, run) if one.before != one.now]
    moved = _moved(Comparable(earlier, endpoint), Comparable(run, endpoint), endpoint)
    return Changes(earlier.root.resolve().name, tuple(facts), tuple(moved))


def _facts(before: RunFolder, now: RunFolder) -> Iterator[Difference]:
    yield from _pairs(_told(before), _told(now))
    old, new = _configs(before), _configs(now)
    for method in dict.fromkeys([*old, *new]):
        if method in old and method in new:
            both = ({f"{method}: {key}": value for key, value in one[method].items()} for one in (old, new))
            yield from _pairs(*both)
        else:
            yield Difference(f"method {method}", "yes" if method in old else "", "yes" if method in new else "")


def _pairs(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys([*before, *now]):
        yield Difference(what, before.get(what, ""), now.get(what, ""))


def _told(run: RunFolder) -> dict[str, str]:
    """Version, settings, scoring, environment and data of a run, as text."""
    stored, scoring = read_json(run.study), kept_scoring(run)
    cells = kept_cells(run)
    known: dict[str, Any] = {"program": stored["version"]}
    known |= {f"setting {name}": value for name, value in stored["settings"].items() if name != "healthy"}
    known |= {"pipelines": ", ".join(scoring.postprocessing), "thresholds": ", ".join(scoring.protocols)}
    known |= {f"environment {name}": value for name, value in read_run_record(run, "environment.json").items()}
    known["fitted on"] = cells[0].fit.fitted_on
    known |= {f"data of {cell.cohort.dataset}": cell.cohort.digest[:12] for cell in cells}
    seeds: dict[str, set[int]] = {}
    for cell in cells:
        seeds.setdefault(cell.fit.method, set()).add(cell.fit.seed)
    known |= {f"seeds of {method}": ", ".join(map(str, sorted(one))) for method, one in seeds.items()}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in known.items()}


def _configs(run: RunFolder) -> dict[str, dict[str, str]]:
    configs: dict[str, dict[str, str]] = {}
    for cell in kept_cells(run):
        whole = {**cell.fit.config, "target": cell.fit.target, "plugin": cell.fit.origin, "revision": cell.fit.revision}
        configs.setdefault(cell.fit.method, {name: json.dumps(value) for name, value in whole.items()})
    return configs


def _moved(before: Comparable, now: Comparable, endpoint: Endpoint) -> Iterator[MethodChange]:
    old_fits, new_fits = _fit_keys(before.run), _fit_keys(now.run)
    for dataset, planned in now.seeds.items():
        for choice in endpoint_choices(now, dataset):
            try:
                old = before.grouped.panels(choice, before.seeds.get(dataset, {}))
            except MissingData:
                continue
            new = now.grouped.panels(choice, planned)
            for method in (name for name in new if name in old):
                same = old_fits[method] == new_fits[method]
                yield _paired(choice, old[method], new[method], same_fits=same, endpoint=endpoint)


def _fit_keys(run: RunFolder) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for cell in kept_cells(run):
        keys.setdefault(cell.fit.method, set()).add(cell.fit.key)
    return keys


def _paired(choice: Choice, old: Panel, new: Panel, *, same_fits: bool, endpoint: Endpoint) -> MethodChange:
    both = pair(*aligned([new, old]))
    within = limits(choice.metric, "difference")
    found = interval(both.differences, TRAINED_MODEL, "difference", alpha=endpoint.alpha, within=within)
    last, first = both.means
    return MethodChange(
        choice, old.method, both.n, len(both.seeds), first, last, found.mean, found.low, found.high, same_fits
    )
