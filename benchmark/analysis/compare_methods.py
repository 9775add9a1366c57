"""A run's methods compared: panels of its cohorts, all pairs under both questions, ranks and meta-analyses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_on
from benchmark.statistics.pairing import Pair, pair
from benchmark.statistics.pairwise.meta_analysis import Pooled, pool
from benchmark.statistics.pairwise.paired_difference import Comparison, compare_endpoints, rank_sets
from benchmark.statistics.panel import QUESTIONS, TRAINED_MODEL, Choice, Panel, Question, Rows
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.storage.fits import stands_aside
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import lesion_case_ids
from benchmark.storage.run_record import Scoring, kept_cells, kept_scoring
from benchmark.storage.run_tables import run_rows
from benchmark.study.cells import NO_HEALTHY, PERFECT_MAP
from datasets.errors import BadValue, UnknownName
from datasets.io.atomic import read_json

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_SEEDS = {PERFECT_MAP: (0,)}


@dataclass(frozen=True)
class Standing:
    """One cohort's methods under one choice.

    Attributes:
        panels: of the methods that may be ranked, in the study's order.
        comparisons: of all pairs, by question.
    """

    choice: Choice
    panels: Mapping[str, Panel]
    comparisons: Mapping[Question, Sequence[Comparison]]

    def of(self, question: Question, a: str, b: str) -> Comparison:
        """One pair, differences being a - b.

        Raises:
            UnknownName: a method that is not among the panels.
            BadValue: twice the same.
        """
        for name in (a, b):
            if name not in self.panels:
                raise UnknownName(f"method with numbers of {self.choice.label} called", name, self.panels)
        if a == b:
            raise BadValue(f"compare: got '{a}' twice, expected two methods.")
        return next(one for one in self.comparisons[question] if {one.a, one.b} == {a, b}).seen_from(a)

    def pair(self, a: str, b: str) -> Pair:
        return pair(self.panels[a], self.panels[b])

    def ranks(self, question: Question) -> dict[str, tuple[int, int]]:
        return rank_sets(list(self.panels), self.comparisons[question])


class Facts(NamedTuple):
    """What a cohort's numbers have in common: the sequence and the grid."""

    sequence: str
    grid: str


@dataclass(frozen=True)
class Comparable:
    """A run's rows and what was planned.

    Attributes:
        fixed: the endpoint of a release, whatever the grid.
    """

    run: RunFolder
    fixed: Endpoint
    _standings: dict[Choice, Standing] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def endpoint(self) -> Endpoint:
        """The endpoint on the run's grid."""
        return endpoint_on(self.edge, self.fixed)

    @cached_property
    def edge(self) -> float:
        """Of the grid's voxels, in mm."""
        return kept_cells(self.run)[0].fit.grid.spacing

    @cached_property
    def rows(self) -> "pd.DataFrame":
        return run_rows(self.run)

    @cached_property
    def scoring(self) -> Scoring:
        """The pipelines, thresholds and metrics that the rows are of."""
        return kept_scoring(self.run)

    @cached_property
    def shifts(self) -> list[str]:
        """Names of the acquisition shifts, in the order of the study."""
        cells = kept_cells(self.run)
        return list(dict.fromkeys(cell.shift.name for cell in cells if cell.shift.name != "none"))

    @cached_property
    def grouped(self) -> Rows:
        """The rows of methods, by choice."""
        return Rows(self.rows)

    @cached_property
    def reference(self) -> Rows:
        """The rows of the perfect map as of a method with the seed 0."""
        rows = self.rows[self.rows["method"] == PERFECT_MAP]
        return Rows(rows.assign(seed=0.0, sampling_seed=0.0))

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """Of each cohort."""
        scaled = normalisation_of(self.run)
        return {
            cell.cohort.dataset: Facts(
                cell.cohort.sequence,
                f"{cell.fit.grid.text}, {scaled}",
            )
            for cell in kept_cells(self.run)
        }

    @cached_property
    def healthy(self) -> dict[str, tuple[str, ...]]:
        """Of each method the healthy cohorts that it was fitted on; () without any."""
        fits = {cell.fit.method: cell.fit for cell in kept_cells(self.run)}
        return {method: tuple(one.dataset for one in fit.healthy_cohorts) for method, fit in fits.items()}

    def fitted_on(self, method: str) -> str:
        """These by name as tables have them; of what no method is, those of all methods."""
        known = self.healthy.get(method)
        names = list(dict.fromkeys(name for of in self.healthy.values() for name in of)) if known is None else known
        return "+".join(names) or NO_HEALTHY

    def lesion_ml(self, dataset: str) -> "pd.Series[float]":
        """Lesion volume by case id, of the cohort's cases with lesion."""
        rows = self.rows[(self.rows["dataset"] == dataset) & (self.rows["metric"] == "lesion_ml")]
        return rows.groupby("case_id")["value"].mean()

    @cached_property
    def lesion_cases(self) -> dict[str, set[str]]:
        """Of each cohort the ids of the cases with lesion."""
        return {name: lesion_case_ids(self.rows[self.rows["dataset"] == name]) for name in self.facts}

    @cached_property
    def split(self) -> str:
        return "test" if "test" in read_json(self.run.study)["settings"]["splits"] else "val"

    @cached_property
    def seeds(self) -> dict[str, dict[str, list[int]]]:
        """Of each cohort's methods the planned seeds, without those that stand aside."""
        return self._planned(aside=False)

    @cached_property
    def seeds_aside(self) -> dict[str, dict[str, list[int]]]:
        """The same of the methods that use lesion labels or are transductive, which are ranked with no other."""
        return self._planned(aside=True)

    def all_seeds(self, dataset: str) -> dict[str, list[int]]:
        """Of all methods of a cohort, those that stand aside last."""
        return self.seeds.get(dataset, {}) | self.seeds_aside.get(dataset, {})

    def _planned(self, *, aside: bool) -> dict[str, dict[str, list[int]]]:
        planned: dict[str, dict[str, dict[int, None]]] = {}
        for cell in kept_cells(self.run):
            name = cell.fit.method
            if cell.shift.is_none and self._aside[name] is aside:
                planned.setdefault(cell.cohort.dataset, {}).setdefault(name, {})[cell.fit.seed] = None
        return {dataset: {name: list(seeds) for name, seeds in of.items()} for dataset, of in planned.items()}

    @cached_property
    def _aside(self) -> dict[str, bool]:
        """Of each method whether its first fit stands aside; the card of every fit is read, once."""
        known: dict[str, bool] = {}
        for fit in {cell.fit.key: cell.fit for cell in kept_cells(self.run)}.values():
            known.setdefault(fit.method, stands_aside(self.run, fit))
        return known

    def choice(
        self, dataset: str, metric: str | None = None, postprocessing: str | None = None, protocol: str | None = None
    ) -> Choice:
        """What is left open is the first endpoint's; "" where nothing of the kind enters the metric.

        Raises:
            UnknownName: a cohort or metric that there is not.
            BadValue: the metric is of a whole cohort: there are no patients to pair.
        """
        if dataset not in self.seeds:
            raise UnknownName("cohort of this run", dataset, self.seeds)
        wanted = metric or self.endpoint.metric
        if wanted not in METRICS:
            raise UnknownName("metric", wanted, METRICS)
        if METRICS[wanted].per != "case":
            raise BadValue(f"--metric {wanted}: got a number of a whole cohort, expected one that each patient has.")
        rows = self.rows[(self.rows["metric"] == wanted) & (self.rows["case_id"] != "")]
        of_methods = rows[rows["seed"].notna()]
        pipeline = pipeline_on(postprocessing, self.edge).name if postprocessing else self.endpoint.postprocessing
        threshold = protocol if protocol is not None else self.endpoint.protocol
        return Choice(
            dataset=dataset,
            metric=wanted,
            postprocessing=pipeline if (of_methods["postprocessing"] != "").any() else "",
            protocol=threshold if (of_methods["protocol"] != "").any() else "",
            split=self.split,
        )

    def endpoints(self, dataset: str) -> tuple[Choice, ...]:
        """The release's endpoints that any method has a number of, in their order."""
        fixed = (
            Choice(dataset, self.endpoint.metric, self.endpoint.postprocessing, protocol, self.split)
            for protocol in self.endpoint.protocols
        )
        return tuple(choice for choice in fixed if choice in self.grouped.defined)

    def standing(self, choice: Choice) -> Standing:
        """All pairs of one cohort; under an endpoint with what all its endpoints say together.

        Raises:
            MissingData: there are no such rows.
        """
        if choice not in self._standings:
            endpoints = self.endpoints(choice.dataset)
            panels = {one: self._panels(one) for one in (endpoints if choice in endpoints else (choice,))}
            compared = {one: compare_endpoints(panels, one, self.endpoint) for one in QUESTIONS}
            self._standings.update({
                one: Standing(one, own, {question: compared[question][one] for question in QUESTIONS})
                for one, own in panels.items()
            })  # fmt: skip
        return self._standings[choice]

    def _panels(self, choice: Choice) -> dict[str, Panel]:
        """Of the methods that may be ranked and have any number."""
        made = self.grouped.panels(choice, self.seeds[choice.dataset])
        return {method: panel for method, panel in made.items() if not panel.is_empty}


def pooled(standings: Sequence[Standing], question: Question, a: str, b: str) -> Pooled:
    """One pair's meta-analysis over the cohorts that can be tested; the others are named with the reason."""
    both = [one for one in standings if a in one.panels and b in one.panels]
    lacking = {
        one.choice.dataset: f"no number of {' and '.join(name for name in (a, b) if name not in one.panels)}"
        for one in standings
        if one not in both
    }
    return pool([one.of(question, a, b) for one in both], lacking)


def across_cohorts(run: RunFolder, endpoint: Endpoint) -> list[Pooled]:
    """The meta-analysis of every pair of trained models under the first endpoint of each cohort of a run or pool."""
    comparable = Comparable(run, endpoint)
    first = [endpoints[0] for dataset in comparable.seeds if (endpoints := comparable.endpoints(dataset))]
    standings = [comparable.standing(choice) for choice in first]
    pairs = dict.fromkeys(pair for one in standings for pair in combinations(sorted(one.panels), 2))
    return [pooled(standings, TRAINED_MODEL, a, b) for a, b in pairs]


def endpoint_on(edge: float, endpoint: Endpoint) -> Endpoint:
    """An endpoint on a grid of voxels of this edge in mm: `none` in place of pipelines without an effect there."""
    first, *further = dict.fromkeys(pipeline_on(name, edge).name for name in endpoint.pipelines)
    return replace(endpoint, postprocessing=first, further_postprocessing=tuple(further))


def normalisation_of(run: RunFolder) -> str:
    """The name of a run's intensity scaling, as its settings tell it."""
    grid = read_json(run.study)["settings"]["grid"]
    return str(grid.get("normalisation") or "-".join(f"{one:g}" for one in grid["percentiles"]) + " %")
