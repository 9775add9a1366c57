"""Numbers under shifts: Line, a method at one severity, and what is said of it frozen, re-tuned and matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from benchmark.study.protocols import on_shifted
from datasets.shifts.shift import Shift
from reports.model.numbers import Number, Statistic, healthy_cases, lesion_cases, number, of_cases
from reports.model.ranking import headline_chains, healthy_protocol, sees_test
from reports.model.run_results import RunResults

NOTHING = "none"
MATCHED = "+match"


@dataclass(frozen=True, order=True)
class Line:
    """A method under one level of one kind of shift, whose name is without arm."""

    method: str
    shift: str
    severity: float


@dataclass(frozen=True, eq=False)
class Response:
    """The rows of one cohort under all shifts, of its cases with or of those without lesion.

    Attributes:
        rows: shifted and unshifted.
        chain: the post-processing that all numbers are of.
        protocol: that thresholds are frozen and re-tuned by.
        seeds: how many training seeds each method was to have.
    """

    cohort: str
    rows: pd.DataFrame
    chain: str
    protocol: str
    seeds: Mapping[str, int]
    shifts: Sequence[Shift]

    @property
    def kinds(self) -> list[str]:
        """Names of the shifts but none, in the order of the study."""
        return list(dict.fromkeys(shift.name for shift in self.shifts if shift.name != NOTHING))

    @property
    def has_matched(self) -> bool:
        return any(shift.matched for shift in self.shifts)

    @property
    def methods(self) -> list[str]:
        """Those that have any row under a shift."""
        shifted = self.rows[self.rows["shift"] != NOTHING]
        return [method for method in self.seeds if (shifted["method"] == method).any()]

    def severities(self, kind: str) -> list[float]:
        return sorted({shift.severity for shift in self.shifts if shift.name == kind})

    def lines(self, kind: str) -> list[Line]:
        return [Line(method, kind, severity) for method in self.methods for severity in self.severities(kind)]

    def dose(self, line: Line) -> Number:
        """How far the level moves healthy tissue; the same for all methods."""
        return self._number(line, "shift_dose", unit="case_id")

    def value(self, line: Line, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True,
              statistic: Statistic = pd.Series.mean, unit: str = "subject_id") -> Number:  # fmt: skip
        """A metric under a threshold (none unless `deployed`), frozen or chosen on shifted cases."""
        protocol = (on_shifted(self.protocol) if tuned else self.protocol) if deployed else ""
        return self._number(line, metric, self.chain, protocol, matched=matched, statistic=statistic, unit=unit)

    def unshifted(self, line: Line) -> Line:
        return Line(line.method, NOTHING, 0.0)

    def _number(
        self,
        line: Line,
        metric: str,
        chain: str = "",
        protocol: str = "",
        *,
        matched: bool = False,
        statistic: Statistic = pd.Series.mean,
        unit: str = "subject_id",
    ) -> Number:
        key = (line.method, f"{line.shift}{MATCHED if matched else ''}", line.severity)
        rows = self._groups.get(key, self.rows[:0])
        return number(rows, metric, chain, protocol, statistic=statistic, unit=unit, seeds=self.seeds[line.method])

    @cached_property
    def _groups(self) -> dict[tuple[str, str, float], pd.DataFrame]:
        grouped = self.rows.groupby(["method", "shift", "severity"])
        return dict(iter(grouped))  # type: ignore[arg-type]


def lesion_responses(results: RunResults) -> list[Response]:
    """A cohort each, in which a threshold that could be deployed is defined."""
    deployable = [name for name in results.scoring.protocols if not sees_test(name)]
    first = next((name for name in ("lesion-val", *deployable) if name in deployable), "")
    found = []
    for name, cohort in results.lesion.items():
        rows = lesion_cases(_rows(results, name))
        defined = rows[(rows["metric"] == "threshold") & (rows["protocol"] == first)]["value"].notna().any()
        protocol = first if defined or not healthy_protocol(results) else healthy_protocol(results)
        found.append(_response(results, name, rows, protocol, cohort.seeds))
    return [one for one in found if one.methods and one.kinds]


def healthy_responses(results: RunResults) -> list[Response]:
    protocol = healthy_protocol(results)
    if not protocol:
        return []
    found = [
        _response(results, name, healthy_cases(_rows(results, name)), protocol, cohort.seeds)
        for name, cohort in results.scanned.items()
    ]
    return [one for one in found if one.methods and one.kinds and not of_cases(one.rows).empty]


def _response(
    results: RunResults, cohort: str, rows: pd.DataFrame, protocol: str, seeds: Mapping[str, int]
) -> Response:
    shifts = list(dict.fromkeys(cell.shift for cell in results.shifted if cell.cohort.dataset == cohort))
    return Response(cohort, rows, headline_chains(results)[-1], protocol, seeds, shifts)


def _rows(results: RunResults, cohort: str) -> pd.DataFrame:
    clean = results.whole.rows
    clean = clean[(clean["dataset"] == cohort) & clean["split"].isin([results.split, ""])]
    shifted = results.shifted_rows
    return pd.concat([clean, shifted[shifted["dataset"] == cohort]])
