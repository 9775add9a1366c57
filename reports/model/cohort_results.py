"""CohortResults: the rows of one cohort, and the numbers of every method in them."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.storage.fits import LABELS
from reports.markup.markdown import MISSING, escape
from reports.model.numbers import MISSING_NUMBER, PERFECT_MAP, Number, Place, numbers_by_place, of_cases

TESTABLE = 6
"""Fewer patients cannot separate two methods at 5 %: of five, the smallest exact two-sided p is 2 / 32."""


RECIPE, WEIGHTS = "this recipe", "these weights"


def question_of(lines: pd.DataFrame) -> str:
    """What ranks are of: *this recipe* where any pair of recipes can be tested."""
    return RECIPE if (lines.loc[lines["rank_low"].notna(), "question"] == RECIPE).any() else WEIGHTS


@dataclass(frozen=True)
class CohortResults:
    """What the tables of one cohort are made of.

    Attributes:
        rows: of one cohort and one split, as `read_rows` gives them.
        lines: of `summary.csv`, of the same cases.
        seeds: how many training seeds each method was to have, in the order of the study.
        floors: the methods that any other has to beat.
        supervision: what each method's map has seen, of its data card; nothing of a method without one.
    """

    rows: pd.DataFrame
    lines: pd.DataFrame
    seeds: Mapping[str, int]
    floors: Collection[str] = ()
    supervision: Mapping[str, str] = field(default_factory=dict)

    @property
    def labelled(self) -> list[str]:
        """The methods whose maps have seen lesion labels: they are shown, and ranked with no other."""
        return [method for method in self.seeds if self.supervision.get(method) == LABELS]

    @property
    def patients(self) -> int:
        return int(of_cases(self.rows)["subject_id"].nunique())

    @property
    def testable(self) -> bool:
        """Whether there are enough patients for a difference between methods to mean anything."""
        return self.patients >= TESTABLE

    @property
    def caution(self) -> str:
        """What has to stand at the tables of too few patients; "" where there are enough, or none yet."""
        if self.testable or not self.patients:
            return ""
        noun = "patient" if self.patients == 1 else "patients"
        return f"{self.patients} {noun}: examples, not testable; nothing here ranks methods."

    @property
    def caution_lines(self) -> list[str]:
        """The caution as a paragraph of Markdown; [] without one."""
        return [f"**{self.caution}**"] if self.caution else []

    @cached_property
    def ordered(self) -> list[Hashable]:
        """The methods as all tables list them, best first by the choice that they are ranked by; the perfect map last.

        By the best rank that the tests leave open, then by the mean; without a number last, and below them what uses
        lesion labels. Where no threshold could be deployed, by AUPRC; with too few patients, in the order of the study.
        """
        rivals: list[Hashable] = [method for method in self.seeds if method not in self.labelled]
        means = self.lines[(self.lines["kind"] == "mean") & (self.lines["shift"] == "none")]
        first = means[means["order"] == 1]
        first = first[first["question"] == question_of(first)]
        if first.empty:  # no threshold that could be deployed
            first = means[(means["metric"] == "auprc") & (means["group"] == "") & (means["stratum"] == "")]
            first = first[first["postprocessing"] == first["postprocessing"].min()]
        if self.testable and not first.empty:
            higher = METRICS[first["metric"].iloc[0]].higher_is_better is not False
            best = first.sort_values(["rank_low", "mean"], ascending=[True, not higher], kind="stable")
            places = {method: place for place, method in enumerate(best.loc[best["mean"].notna(), "method"])}
            rivals.sort(key=lambda method: places.get(str(method), len(places)))
        return [*rivals, *self.labelled, PERFECT_MAP]

    def of(self, method: Hashable) -> pd.DataFrame:
        return self._by_method.get(method, self.rows[:0])

    @cached_property
    def _by_method(self) -> Mapping[Hashable, pd.DataFrame]:
        return dict(iter(self.rows.groupby("method", sort=False)))

    @cached_property
    def _seeds_there(self) -> Mapping[Hashable, int]:
        return {method: rows["seed"].nunique() for method, rows in self._by_method.items()}

    @cached_property
    def _flags(self) -> Mapping[Hashable, str]:
        """All words that qualify any row of a method."""
        return {method: " ".join(rows["flags"].unique()) for method, rows in self._by_method.items()}

    def numbers(
        self, metric: str, chain: str = "", protocol: str = "", kind: str | None = None
    ) -> dict[Hashable, Number]:
        """A number of every method and, last, of the perfect map, which knows no protocol.

        Args:
            kind: as in `summary.csv`; by default the mean over patients, or the number of the whole cohort.
        """
        of = kind or ("mean" if metric not in METRICS or METRICS[metric].per == "case" else "cohort")
        found: dict[Hashable, Number] = {
            method: self.number(Place(method, metric, chain, protocol, of)) for method in self.seeds
        }
        return found | {PERFECT_MAP: self.number(Place(PERFECT_MAP, metric, chain, "", of))}

    def number(self, place: Place) -> Number:
        return self._numbers.get(place, MISSING_NUMBER)

    @property
    def means(self) -> Mapping[Place, Number]:
        """Of unshifted scans, over patients or of the whole cohort."""
        return {
            place: one
            for place, one in self._numbers.items()
            if place.shift == "none" and place.kind in ("mean", "cohort")
        }

    @cached_property
    def _numbers(self) -> Mapping[Place, Number]:
        return numbers_by_place(self.lines)

    def seconds(self) -> dict[Hashable, Number]:
        """Medians, since the first volumes warm the device up; the perfect map takes no time."""
        return self.numbers("seconds", kind="median")

    def label(self, method: Hashable) -> str:
        """The name as Markdown with its badges: floor, single seed, missing seeds, leak and the like."""
        if method == PERFECT_MAP:
            return "*perfect map*"
        shown = ", ".join(self._marks(str(method)))
        return escape(str(method)) + (f" ({shown})" if shown else "")

    def _marks(self, method: str) -> list[str]:
        """What a reader has to know of one row; what holds for the whole run stands above all tables."""
        there, planned = self._seeds_there.get(method, 0), self.seeds.get(method, 0)
        marks = {
            "floor": method in self.floors,
            f"uses {LABELS}": method in self.labelled,
            "single seed": planned == 1 < max(self.seeds.values()),
            f"{there} of {planned} seeds": 0 < there < planned,
            **{flag: flag in self._flags.get(method, "").split() for flag in ("leak", "partial")},
        }
        return [mark for mark, holds in marks.items() if holds]

    def supervision_of(self, method: Hashable) -> str:
        """What its map has seen; the perfect map is the truth."""
        return "" if method == PERFECT_MAP else self.supervision.get(str(method)) or MISSING

    def patients_of(self, method: Hashable) -> str:
        """How many there are, and of how many scans if that is another number."""
        rows = of_cases(self.of(method))
        subjects, cases = rows["subject_id"].nunique(), rows["case_id"].nunique()
        if not cases:
            return MISSING
        return str(subjects) if subjects == cases else f"{subjects} ({cases} scans)"
