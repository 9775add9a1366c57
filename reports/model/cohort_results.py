"""CohortResults: the rows of one cohort, and the numbers of every method in them."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from benchmark.storage.fits import LABELS
from reports.markup.markdown import MISSING, escape
from reports.model.numbers import PERFECT_MAP, Number, Statistic, number, of_cases

TESTABLE = 6
"""Fewer patients cannot separate two methods at 5 %: of five, the smallest exact two-sided p is 2 / 32."""


@dataclass(frozen=True)
class CohortResults:
    """What the tables of one cohort are made of.

    Attributes:
        rows, timing: of one cohort and one split, as `read_rows` gives them.
        seeds: how many training seeds each method was to have, in the order of the study.
        floors: the methods that any other has to beat.
        supervision: what each method's map has seen, of its data card; nothing of a method without one.
    """

    rows: pd.DataFrame
    timing: pd.DataFrame
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
        self, metric: str, chain: str = "", protocol: str = "", statistic: Statistic = pd.Series.mean
    ) -> dict[Hashable, Number]:
        """A metric of every method and, last, of the perfect map, which knows no protocol."""
        numbers: dict[Hashable, Number] = {
            method: number(self.of(method), metric, chain, protocol, statistic=statistic, seeds=self.seeds[method])
            for method in self.seeds
        }
        return numbers | {PERFECT_MAP: number(self.of(PERFECT_MAP), metric, chain, statistic=statistic)}

    def scan_number(
        self, method: str, metric: str, chain: str, protocol: str, statistic: Statistic = pd.Series.mean
    ) -> Number:
        """The same of one method, the scan being the unit."""
        rows, seeds = self.of(method), self.seeds[method]
        return number(rows, metric, chain, protocol, statistic=statistic, unit="case_id", seeds=seeds)

    def seconds(self) -> dict[Hashable, Number]:
        """Medians, since the first volumes warm the device up; the perfect map takes no time."""
        times: dict[Hashable, Number] = {}
        for method, seeds in {**self.seeds, PERFECT_MAP: 1}.items():
            rows = self.timing[self.timing["method"] == method]
            times[method] = number(rows, "seconds", statistic=pd.Series.median, unit="case_id", seeds=seeds)
        return times

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
