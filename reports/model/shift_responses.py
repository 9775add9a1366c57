"""ShiftResponse: what acquisition shifts cost the methods of one cohort at each level, from `summary.csv`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import pandas as pd

from benchmark.study.protocols import on_shifted
from datasets.shifts.shift import MATCHED, Shift
from reports.model.cohort_results import CohortResults, Number, numbers_of
from reports.model.ranking import headline_pipelines, ranking_of
from reports.model.run_results import RunResults

NOTHING = "none"


@dataclass(frozen=True, order=True)
class Level:
    """A method under one level of one shift, whose name is without arm."""

    method: str
    shift: str
    severity: float


@dataclass(frozen=True, eq=False)
class ShiftResponse:
    """One cohort under all shifts, its cases with or those without lesion.

    Attributes:
        lines: of `summary.csv`, shifted and unshifted.
        pipeline: the post-processing that all numbers are of.
        protocol: that thresholds are frozen and re-tuned by.
        methods: in the order of the study.
        shifts: that were asked for.
    """

    cohort: str
    lines: pd.DataFrame
    pipeline: str
    protocol: str
    methods: Sequence[str]
    shifts: Sequence[Shift]

    @property
    def kinds(self) -> list[str]:
        """Names of the shifts but none, in the order of the study."""
        return list(dict.fromkeys(shift.name for shift in self.shifts if shift.name != NOTHING))

    @property
    def has_matched(self) -> bool:
        return any(shift.matched for shift in self.shifts)

    def severities(self, kind: str) -> list[float]:
        return sorted({shift.severity for shift in self.shifts if shift.name == kind})

    def levels(self, kind: str) -> list[Level]:
        return [Level(method, kind, severity) for method in self.methods for severity in self.severities(kind)]

    def dose(self, level: Level) -> float:
        """How far the level moves healthy tissue, the same for all methods; NaN where nothing is known of it."""
        return self._doses.get((level.shift, level.severity), nan)

    def value(
        self, level: Level, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
    ) -> Number:
        """A metric under a threshold (none unless `deployed`), frozen or chosen on shifted cases."""
        return self._number("mean", level, metric, tuned=tuned, matched=matched, deployed=deployed)

    def change(
        self, level: Level, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
    ) -> float:
        """From the unshifted cell of the same arm; re-tuned or not, the unshifted threshold is the same."""
        return self._number("change", level, metric, tuned=tuned, matched=matched, deployed=deployed).value

    def unshifted(self, method: str) -> Level:
        return Level(method, NOTHING, 0.0)

    def _number(self, kind: str, level: Level, metric: str, *, tuned: bool, matched: bool, deployed: bool) -> Number:
        protocol = (on_shifted(self.protocol) if tuned else self.protocol) if deployed else ""
        label = f"{level.shift}{MATCHED if matched else ''}"
        return self._numbers.get((kind, level.method, metric, protocol, label, level.severity), Number())

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, str, str, str, str, float], Number]:
        own = self.lines[self.lines["postprocessing"] == self.pipeline]
        keys = own[["kind", "method", "metric", "protocol", "shift", "severity"]]
        return dict(zip(keys.itertuples(index=False, name=None), numbers_of(own), strict=True))

    @cached_property
    def _doses(self) -> Mapping[tuple[str, float], float]:
        own = self.lines[self.lines["dose"].notna() & self.lines["kind"].isin(["mean", "change"])]
        return dict(zip(zip(own["shift"], own["severity"], strict=True), own["dose"], strict=True))


def lesion_responses(results: RunResults) -> list[ShiftResponse]:
    """A cohort each, under the choice that its methods are ranked by."""
    found = []
    for name, cohort in results.lesion.items():
        ranking = ranking_of(results, name)
        choice = (headline_pipelines(results)[0], "")
        if ranking is not None:
            choice = (ranking.first["postprocessing"], ranking.first["protocol"])
        found += _responses(results, name, cohort, "lesion", *choice)
    return found


def healthy_responses(results: RunResults) -> list[ShiftResponse]:
    """A cohort each, under the choice that false positives in its healthy scans are given by."""
    found = []
    for name, cohort in results.scanned.items():
        choice = results.summary.healthy_choice(name)
        if choice is not None:
            found += _responses(results, name, cohort, "healthy", *choice)
    return found


def _responses(
    results: RunResults, name: str, cohort: CohortResults, cases: str, pipeline: str, protocol: str
) -> list[ShiftResponse]:
    """One, or none where no method has a number under a shift."""
    lines = results.summary.lines
    own = lines[(lines["dataset"] == name) & (lines["cases"] == cases) & (lines["split"] == results.split)]
    own = own[(own["group"] == "") & (own["stratum"] == "")]
    there = set(own.loc[own["shift"] != NOTHING, "method"])
    methods = [method for method in cohort.seeds if method in there]
    shifts = list(dict.fromkeys(cell.shift for cell in results.shifted if cell.cohort.dataset == name))
    one = ShiftResponse(name, own, pipeline, protocol, methods, shifts)
    return [one] if one.methods and one.kinds else []
