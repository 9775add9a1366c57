"""Groups of printed values beside ours, each with a status that is computed from both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from typing import Literal

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.metrics import COST, METRICS
from benchmark.postprocessing.pipelines import LEFT_OUT
from benchmark.replication.published_study import (
    DEFAULT_SAMPLING,
    PUBLISHED_SAMPLING,
    Item,
    PublishedStudy,
    Quantity,
    Tier,
    TierRun,
    Value,
    table_names,
)
from benchmark.statistics.pairing import aligned
from benchmark.statistics.pairwise.paired_difference import Comparison, compare_all
from benchmark.statistics.panel import FEWEST_PATIENTS, TRAINED_MODEL, Choice, Panel, Rows
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.statistics.replication import Agreement, order_agreement, prediction_interval
from benchmark.storage.run_record import cell_record, has_maps, kept_cells
from benchmark.storage.run_tables import run_rows

Status = Literal["within interval", "same order", "contradicted", "other sampling", "one seed", "drawn", "not run"]
MEANINGS: Mapping[Status, str] = {
    "within interval": "every printed value that ours is compared with lies in our prediction interval for a new run "
    "of the procedure, with as many patients and trainings as published; the intervals of a group hold together, at "
    "95 %",
    "same order": "some value lies outside, and the 95 % interval of Kendall's tau between both orders lies above 0",
    "contradicted": "some value lies outside, and the order is not shown to be the same",
    "other sampling": "ours are by the default sampling alone, which is not the published one",
    "one seed": "one training has no interval for the next one",
    "drawn": "a figure that prints no number: ours stands below, and is judged by eye",
    "not run": "what is missing stands beside it",
}
COMPARED: tuple[Status, ...] = ("within interval", "contradicted")
MISSING: Mapping[Status, str] = {
    "one seed": "a second training",
    "other sampling": f"a run by the sampling {PUBLISHED_SAMPLING}",
}
ALPHA = 0.05  # of all values of a group together
NO_AGREEMENT = Agreement(nan, nan, nan)
EVERYTHING = ("", "")


@dataclass(frozen=True)
class TierResults:
    """The runs of a tier that have rows, and why the others have none.

    Attributes:
        runs: by the name of the tier's run.
        absent: by cohort and sequence what is missing for it, in words; by `EVERYTHING` what is for all.
    """

    study: PublishedStudy
    tier_name: str
    tier: Tier
    runs: Mapping[str, Comparable]
    absent: Mapping[tuple[str, str], str]
    endpoint: Endpoint

    def runs_on(self, dataset: str, sequence: str, sampling: str) -> list[TierRun]:
        """With rows of a cohort."""
        return [
            run
            for run in self.tier.runs
            if run.name in self.runs
            and (run.sequence, run.sampling) == (sequence, sampling)
            and dataset in self.runs[run.name].facts
        ]

    def sequence_of(self, dataset: str) -> str:
        """The first of a cohort's sequences that any run has, else its first."""
        known = self.study.cohorts[dataset].sequences
        there = (
            one for one in known for of in (PUBLISHED_SAMPLING, DEFAULT_SAMPLING) if self.runs_on(dataset, one, of)
        )
        return next(there, known[0])

    def why_absent(self, dataset: str, sequence: str) -> str:
        """What is missing for a number of a cohort."""
        healthy = self.absent.get((self.study.healthy, sequence))
        own = self.absent.get((dataset, sequence))
        reasons = [one for one in dict.fromkeys((self.absent.get(EVERYTHING), healthy, own)) if one]
        return "; ".join(reasons) or f"{dataset} {sequence} is not part of the tier {self.tier_name}"

    def why_no_number(self, methods: Sequence[str], dataset: str, sequence: str) -> str:
        """What is missing for a number that any of some methods would have on a cohort."""
        found = [run for of in (PUBLISHED_SAMPLING, DEFAULT_SAMPLING) for run in self.runs_on(dataset, sequence, of)]
        if not found:
            return self.why_absent(dataset, sequence)
        trained = any(self.name_in(run, method) for run in found for method in methods)
        return f"a number of {methods[0]} on {dataset}" if trained else f"a training of {methods[0]}"

    def name_in(self, run: TierRun, method: str) -> str:
        """What a run's tables call a method; "" where it has none of it."""
        return next((one for one in table_names(method, self.tier, run) if one in self._methods[run.name]), "")

    def panel(self, run: TierRun, method: str, choice: Choice) -> Panel | None:
        """The numbers of a method in a run; None where no patient has one under every seed."""
        comparable, name = self.runs[run.name], self.name_in(run, method)
        seeds = comparable.all_seeds(choice.dataset)
        rows = self._timing[run.name] if choice.metric in COST else comparable.grouped
        if name not in seeds or rows.of(choice).empty:
            return None
        panel = rows.panels(choice, {name: seeds[name]})[name]
        return panel if len(panel.complete) else None

    def on_gpu(self, run: TierRun) -> bool:
        """Whether a run's maps were made on a GPU."""
        folder = self.runs[run.name].run
        records = [cell_record(folder, cell) for cell in kept_cells(folder) if has_maps(folder, cell)]
        return all(str(one["inference"]["device"]).startswith("cuda") for one in records)

    @cached_property
    def _methods(self) -> dict[str, set[str]]:
        return {name: {cell.fit.method for cell in kept_cells(one.run)} for name, one in self.runs.items()}

    @cached_property
    def _timing(self) -> dict[str, Rows]:
        return {name: Rows(run_rows(one.run, "timing.csv")) for name, one in self.runs.items()}


@dataclass(frozen=True)
class Ours:
    """Our number of a method, in the printed unit.

    Attributes:
        spread: standard deviation over training seeds, as published over folds; NaN with one.
        low, high: of the prediction interval for a new run; with those of the other values of the group they hold
            together. NaN with one seed.
    """

    method: str
    mean: float
    spread: float
    low: float
    high: float
    seeds: int
    patients: int


@dataclass(frozen=True)
class Line:
    """A printed value beside ours.

    Attributes:
        ours: by the published sampling, one a method that the row may be; `default` the same by ours.
        why: what is missing for a comparison.
    """

    value: Value
    ours: tuple[Ours, ...]
    default: tuple[Ours, ...]
    status: Status
    why: str = ""


@dataclass(frozen=True)
class Group:
    """The printed values of one quantity on one cohort after one post-processing.

    Attributes:
        agreement: of the published order with ours, over the methods that both have.
        common: how many these are.
        tests: of the item's pairs, by ours and by the published test.
    """

    item: Item
    dataset: str
    sequence: str
    metric: str
    quantity: Quantity
    postprocessing: str
    lines: tuple[Line, ...]
    agreement: Agreement
    common: int
    tests: tuple[Comparison, ...] = ()

    @cached_property
    def status(self) -> Status:
        compared = {line.status for line in self.compared}
        if "contradicted" in compared:
            return "same order" if self.agreement.low > 0 else "contradicted"
        if compared:
            return "within interval"
        others = {line.status for line in self.lines}
        return next((one for one in MISSING if one in others), "not run")

    @property
    def compared(self) -> list[Line]:
        """The values that ours are compared with."""
        return [line for line in self.lines if line.status in COMPARED]

    @property
    def what(self) -> str:
        """The quantity, and the step that the post-processing lacks."""
        return quantity_text(self.quantity, self.metric, self.postprocessing)

    @property
    def why(self) -> str:
        """What is missing for the values that are not compared."""
        return "; ".join(dict.fromkeys(line.why for line in self.lines if line.why))

    @property
    def within(self) -> int:
        """How many of the compared values lie in our intervals."""
        return sum(line.status == "within interval" for line in self.lines)


def groups(results: TierResults, item: Item) -> list[Group]:
    """All of a table's printed values, each in one group."""
    found: dict[tuple[str, str, str], list[Value]] = {}
    for value in results.study.values_of(item):
        found.setdefault((value.dataset, value.metric, value.postprocessing), []).append(value)
    return [_group(results, item, values) for values in found.values()]


def status_of(value: float, digits: int, ours: Sequence[Ours], default: Sequence[Ours]) -> Status:
    """Of one printed value: within the interval of one of the methods that it may be of."""
    if not ours:
        return "other sampling" if default else "not run"
    if all(one.seeds < 2 for one in ours):
        return "one seed"
    rounding = 0.5 * 10**-digits
    return (
        "within interval" if any(one.low - rounding <= value <= one.high + rounding for one in ours) else "contradicted"
    )


def our_number(panel: Panel, factor: float, patients: int, trainings: int, alpha: float = ALPHA) -> Ours:
    """A panel's mean in the printed unit, with its prediction interval."""
    values = panel.complete * factor
    low, high = prediction_interval(values, patients=patients, seeds=trainings, alpha=alpha)
    seeds = values.mean(axis=0)
    spread = float(seeds.std(ddof=1)) if seeds.size > 1 else nan
    return Ours(panel.method, float(values.mean()), spread, low, high, values.shape[1], values.shape[0])


def choice_of(results: TierResults, run: TierRun, dataset: str, quantity: Quantity, pipeline: str) -> Choice:
    """Where the rows of a quantity stand, under the study's threshold if one enters."""
    return Choice(
        dataset=dataset,
        metric=quantity.metric,
        postprocessing=pipeline,
        protocol=results.study.protocol if quantity.threshold else "",
        split=results.runs[run.name].split,
    )


def _group(results: TierResults, item: Item, values: Sequence[Value]) -> Group:
    first, study = values[0], results.study
    quantity, sequence = study.quantities[first.metric], results.sequence_of(first.dataset)
    panels = {
        sampling: _panels(results, values, quantity, sequence, sampling)
        for sampling in (PUBLISHED_SAMPLING, DEFAULT_SAMPLING)
    }
    compared = sum(any(one.complete.shape[1] > 1 for one in of) for of in panels[PUBLISHED_SAMPLING].values())
    alpha = ALPHA / max(compared, 1)  # Bonferroni's: the intervals of a group hold together
    lines = tuple(_line(results, value, quantity, sequence, panels, alpha) for value in values)
    leading = panels[PUBLISHED_SAMPLING] or panels[DEFAULT_SAMPLING]
    known = {value.row: (value, leading[value.row][0]) for value in values if leading.get(value.row)}
    agreement = agreement_of([one for one, _ in known.values()], [panel for _, panel in known.values()])
    tests = tests_of(results, item, first.dataset, quantity, {row: panel for row, (_, panel) in known.items()})
    place = (item, first.dataset, sequence, first.metric, quantity, first.postprocessing)
    return Group(*place, lines, agreement, len(known), tests)


def _panels(
    results: TierResults, values: Sequence[Value], quantity: Quantity, sequence: str, sampling: str
) -> dict[str, list[Panel]]:
    """By printed row those of the methods that it may be of."""
    found: dict[str, list[Panel]] = {}
    for run in results.runs_on(values[0].dataset, sequence, sampling)[:1] if quantity.metric else ():
        for value in values:
            choice = choice_of(results, run, value.dataset, quantity, value.postprocessing)
            made = (results.panel(run, method, choice) for method in results.study.rows[value.row].methods)
            if known := [panel for panel in made if panel is not None]:
                found[value.row] = known
    return found


def _line(
    results: TierResults,
    value: Value,
    quantity: Quantity,
    sequence: str,
    panels: Mapping[str, Mapping[str, Sequence[Panel]]],
    alpha: float,
) -> Line:
    study = results.study
    ours, default = (
        tuple(
            our_number(one, quantity.factor, study.cohorts[value.dataset].patients, study.trainings, alpha)
            for one in panels[sampling].get(value.row, ())
        )
        for sampling in (PUBLISHED_SAMPLING, DEFAULT_SAMPLING)
    )
    status = status_of(value.mean, value.digits, ours, default)
    why = MISSING.get(status, "")
    if status == "not run":
        why = quantity.absent or results.why_no_number(study.rows[value.row].methods, value.dataset, sequence)
    return Line(value, ours, default, status, why)


def agreement_of(values: Sequence[Value], panels: Sequence[Panel]) -> Agreement:
    """Of the order of printed values with that of our panels, over the patients and seeds that all of these have."""
    if len(panels) < 3:
        return NO_AGREEMENT
    over = aligned(panels)
    known = ~np.any([np.isnan(one.values).any(axis=1) for one in over], axis=0)
    if not known.any() or not over[0].seeds:
        return NO_AGREEMENT
    stacked = np.stack([one.values[known] for one in over])
    return order_agreement(np.array([value.mean for value in values]), stacked)


def tests_of(
    results: TierResults, item: Item, dataset: str, quantity: Quantity, panels: Mapping[str, Panel]
) -> tuple[Comparison, ...]:
    """The item's pairs of which both rows have numbers of patients enough, tested as trained models."""
    found = []
    for a, b in item.pairs:
        if a in panels and b in panels and len(panels[a].patients) >= FEWEST_PATIENTS:
            choice = Choice(dataset, quantity.metric, "", "")
            pair = {results.study.label(row): replace(panels[row], method=results.study.label(row)) for row in (a, b)}
            found.append(compare_all(pair, choice, TRAINED_MODEL, results.endpoint)[0])
    return tuple(found)


def quantity_text(quantity: Quantity, name: str, postprocessing: str) -> str:
    """The title of a quantity, and the step that the post-processing lacks."""
    title = METRICS[quantity.metric].title if quantity.metric else name.upper()
    step = postprocessing.partition(LEFT_OUT)[2]
    return f"{title} without {step}" if step else title


def higher_is_better(quantity: Quantity) -> bool | None:
    """None for a quantity that there is no metric of."""
    return METRICS[quantity.metric].higher_is_better if quantity.metric else None
