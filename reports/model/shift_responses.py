"""Numbers under shifts: a method at one level, with its threshold frozen or re-tuned and its histograms matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from benchmark.study.protocols import SHIFTED, on_shifted
from datasets.shifts.shift import Shift
from reports.model.numbers import MISSING_NUMBER, Number, Place, numbers_by_place
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
    """The numbers of one cohort under all shifts, of its cases with or of those without lesion.

    Attributes:
        summary_lines: of `summary.csv`, shifted and unshifted.
        chain: the post-processing that all numbers are of.
        protocol: that thresholds are frozen and re-tuned by.
        ordered: all methods of the run, in the order of the study.
    """

    cohort: str
    summary_lines: pd.DataFrame
    chain: str
    protocol: str
    ordered: Sequence[str]
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
        """Those that have any number under a shift."""
        lines = self.summary_lines
        shifted = set(lines.loc[lines["shift"] != NOTHING, "method"])
        return [method for method in self.ordered if method in shifted]

    def severities(self, kind: str) -> list[float]:
        return sorted({shift.severity for shift in self.shifts if shift.name == kind})

    def lines(self, kind: str) -> list[Line]:
        return [Line(method, kind, severity) for method in self.methods for severity in self.severities(kind)]

    def dose(self, line: Line) -> float:
        """How far the level moves healthy tissue, the same for all methods; NaN where unknown."""
        return self._doses.get((line.shift, line.severity), float("nan"))

    def value(
        self, line: Line, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
    ) -> Number:
        """A metric under a threshold (none unless `deployed`), frozen or chosen on shifted cases."""
        return self._numbers.get(self._place(line, metric, tuned, matched, deployed), MISSING_NUMBER)

    def change(
        self, line: Line, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
    ) -> float:
        """From the unshifted cell of the same arm; re-tuned or not, the unshifted threshold is the same."""
        place = self._place(line, metric, tuned, matched, deployed)
        return self._numbers.get(place._replace(kind="change"), MISSING_NUMBER).value

    def unshifted(self, line: Line) -> Line:
        return Line(line.method, NOTHING, 0.0)

    def _place(self, line: Line, metric: str, tuned: bool, matched: bool, deployed: bool) -> Place:
        protocol = self.protocol if deployed else ""
        return Place(
            line.method,
            metric,
            self.chain,
            on_shifted(protocol) if tuned and deployed else protocol,
            shift=f"{line.shift}{MATCHED if matched else ''}",
            severity=line.severity,
        )

    @cached_property
    def _numbers(self) -> Mapping[Place, Number]:
        return numbers_by_place(self.summary_lines)

    @cached_property
    def _doses(self) -> Mapping[tuple[str, float], float]:
        known = self.summary_lines.dropna(subset=["dose", "severity"])
        places = zip(known["shift"], known["severity"], strict=True)
        return dict(zip(places, known["dose"], strict=True))


def lesion_responses(results: RunResults) -> list[Response]:
    """One for each cohort with methods that are ranked under a threshold."""
    return _responses(results, "lesion", [*results.lesion])


def healthy_responses(results: RunResults) -> list[Response]:
    return _responses(results, "healthy", [*results.scanned])


def _responses(results: RunResults, cases: str, cohorts: Sequence[str]) -> list[Response]:
    """Under the choice that the summary gives for each level of a shift."""
    lines, found = results.summary.lines, []
    for name in cohorts:
        own = lines[(lines["dataset"] == name) & (lines["cases"] == cases)]
        levels = own[(own["shift"] != NOTHING) & (own["protocol"] != "")]
        if levels.empty:
            continue
        first = levels.iloc[0]
        shifts = list(dict.fromkeys(cell.shift for cell in results.shifted if cell.cohort.dataset == name))
        found.append(
            Response(
                name,
                own,
                first["postprocessing"],
                first["protocol"].removesuffix(SHIFTED),
                [*results.whole.seeds],
                shifts,
            )
        )
    return found
