"""CohortResults: one cohort's rows, and every method's numbers as `summary.csv` holds them."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import Any

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.statistics.panel import FEWEST_PATIENTS, TRAINED_MODEL, TRAINING_PROCEDURE, Choice, Rows, mean_of_known
from benchmark.storage.fits import LABELS
from benchmark.storage.rows import chosen, lesion_case_ids
from benchmark.study.cells import PERFECT_MAP
from datasets.errors import MissingData
from datasets.words import count_text
from reports.content.blocks import Paragraph
from reports.content.table import BLANK
from reports.content.text import Text, prose, strong

NUMBERS = ("mean", "sd", "n", "left_out", "seeds", "planned", "lowest_seed", "highest_seed", "unavailable")


def question_of(lines: pd.DataFrame) -> str:
    """What ranks are of: *this training procedure* where any pair can be tested so."""
    ranked = lines.loc[lines["rank_low"].notna(), "question"]
    return TRAINING_PROCEDURE if (ranked == TRAINING_PROCEDURE).any() else TRAINED_MODEL


def best_first(lines: pd.DataFrame) -> pd.DataFrame:
    """Lines of one choice and question by the mean, the metric's better one first; without a number last."""
    higher = bool(len(lines)) and METRICS[lines["metric"].iloc[0]].higher_is_better is not False
    return lines.sort_values("mean", ascending=not higher, kind="stable")


@dataclass(frozen=True)
class Number:
    """One number of one method.

    Attributes:
        value, sd: mean over patients and training seeds, and spread over patients; NaN where undefined.
        defined, expected: patients that have it, of those that should, each planned seed counted; none expected means
            missing.
        seeds: training seeds that have it; lowest_seed, highest_seed: of their means.
        unavailable: why there can be none; else "".
    """

    value: float = nan
    sd: float = nan
    defined: int = 0
    wanted: int = 0
    seeds: int = 0
    lowest_seed: float = nan
    highest_seed: float = nan
    unavailable: str = ""


@dataclass(frozen=True)
class CohortResults:
    """What the tables of one cohort are made of.

    Attributes:
        rows: of single cases, in one split, and numbers of the whole cohort; only pictures of patients, counts and
            flags are read from them.
        lines: of `summary.csv`, the means over the same cases, and the costs.
        seeds: how many training seeds were planned for each method, in the order of the study.
        simple_baselines: the methods that any other has to beat.
        supervision: what each method's map has seen, of its data card; nothing of a method without one.
        transductive: the methods whose maps depend on the scans that were mapped together.
    """

    rows: pd.DataFrame
    lines: pd.DataFrame
    seeds: Mapping[str, int]
    simple_baselines: Collection[str] = ()
    supervision: Mapping[str, str] = field(default_factory=dict)
    transductive: Collection[str] = ()

    @property
    def labelled(self) -> list[str]:
        """The methods whose maps have seen lesion labels."""
        return [method for method in self.seeds if self.supervision.get(method) == LABELS]

    @property
    def aside(self) -> list[str]:
        """The methods that are shown, and ranked with no other: transductive ones, then those that saw labels."""
        return [*(name for name in self.transductive if name not in self.labelled), *self.labelled]

    @cached_property
    def patients(self) -> int:
        return int(of_cases(self.rows)["subject_id"].nunique())

    @property
    def testable(self) -> bool:
        """Whether there are enough patients for a difference between methods to mean anything."""
        return self.patients >= FEWEST_PATIENTS

    @cached_property
    def unranked(self) -> str:
        """Why methods that could be tested are not ranked; "" where they are."""
        told = self.lines.loc[self.lines["order"] == 1, "unranked"]
        return "" if told.empty else str(told.iloc[0])

    @cached_property
    def rankable(self) -> bool:
        """Whether anything may be called the best."""
        return self.testable and not self.unranked

    @property
    def caution(self) -> str:
        """What has to stand at the tables where nothing is ranked; "" where something is, or nobody is there yet."""
        if self.rankable or not self.patients:
            return ""
        few = "" if self.testable else f"{count_text(self.patients, 'patient')}: examples, not testable"
        return f"{few or f'Unranked: {self.unranked}'}; nothing here ranks methods."

    @property
    def caution_lines(self) -> list[Paragraph]:
        """The caution as a paragraph; [] without one."""
        return [Paragraph(strong(self.caution))] if self.caution else []

    @cached_property
    def ordered(self) -> list[Hashable]:
        """The methods as all tables list them, best first by the choice that they are ranked by; the perfect map last.

        By the mean; without a number last, and below them what stands aside. Where nothing is ranked, in the order of
        the study.
        """
        rivals: list[Hashable] = [method for method in self.seeds if method not in self.aside]
        means = self.lines[(self.lines["kind"] == "mean") & (self.lines["shift"] == "none")]
        first = means[means["order"] == 1]
        first = first[first["question"] == question_of(first)]
        if self.rankable and not first.empty:
            best = best_first(first)
            places = {method: place for place, method in enumerate(best.loc[best["mean"].notna(), "method"])}
            rivals.sort(key=lambda method: places.get(str(method), len(places)))
        return [*rivals, *self.aside, PERFECT_MAP]

    def of(self, method: Hashable) -> pd.DataFrame:
        """The rows of one method."""
        return self.rows.iloc[self._places.get(method, [])]

    @cached_property
    def _places(self) -> Mapping[Hashable, Any]:
        """Where each method's rows are."""
        return self.rows.groupby("method", sort=False).indices

    @cached_property
    def _seeds_there(self) -> Mapping[Hashable, int]:
        return self.rows.groupby("method", sort=False)["seed"].nunique().to_dict()

    def flags(self, method: str, dataset: str | None = None) -> set[str]:
        """All words that qualify any row of a method, in one data set or in any."""
        found = self._flags.items()
        return {word for (own, cohort), words in found if own == method and dataset in (None, cohort) for word in words}

    @cached_property
    def _flags(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """The same by method and data set."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        told = self.rows[["method", "dataset", "flags"]].drop_duplicates()
        for method, dataset, flags in told.itertuples(index=False, name=None):
            found[method, dataset] = found.get((method, dataset), frozenset()).union(flags.split())
        return found

    @property
    def metrics(self) -> set[str]:
        """Those that any method has a number of."""
        return set(self.lines.loc[self.lines["n"] > 0, "metric"])

    @property
    def choices(self) -> list[tuple[str, str, str]]:
        """Every metric, pipeline and threshold that methods have numbers of, the endpoints first."""
        own = self.lines[self.lines["kind"].isin(["mean", "cohort"]) & (self.lines["method"] != PERFECT_MAP)]
        ordered = own.sort_values("order", key=lambda order: order.where(order > 0, len(own)), kind="stable")
        return list(dict.fromkeys(zip(ordered["metric"], ordered["postprocessing"], ordered["protocol"], strict=True)))

    def numbers(
        self, metric: str, pipeline: str = "", protocol: str = "", kind: str = "mean"
    ) -> dict[Hashable, Number]:
        """A metric of every method and, last, of the perfect map, which knows no protocol.

        Args:
            kind: "mean", also for what a whole cohort has one number of, or a further statistic of `summary.csv`.
        """
        choices = {**dict.fromkeys(self.seeds, protocol), PERFECT_MAP: ""}
        return {method: self._number(method, metric, pipeline, one, kind) for method, one in choices.items()}

    def _number(self, method: str, metric: str, pipeline: str, protocol: str, kind: str) -> Number:
        """Where the mean is undefined, so is every other statistic."""
        found = self._numbers.get((method, metric, pipeline, protocol, kind))
        mean = self._numbers.get((method, metric, pipeline, protocol, "mean"), Number())
        return found or (Number() if mean.defined else mean)

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, ...], Number]:
        """By method, metric, pipeline, threshold and kind."""
        keys = self.lines[["method", "metric", "postprocessing", "protocol", "kind"]].replace(
            {"kind": {"cohort": "mean"}}
        )
        return dict(zip(keys.itertuples(index=False, name=None), numbers_of(self.lines), strict=True))

    def seconds(self) -> dict[Hashable, Number]:
        """Of mapping a volume, the median; the perfect map takes no time."""
        return self.numbers("seconds", kind="median")

    def by_case(self, metric: str, pipeline: str = "", protocol: str = "") -> pd.DataFrame:
        """Each case's number, a line a case and a column a method, training seeds averaged."""
        own = select(of_cases(self.rows), metric, pipeline, protocol)
        own = own[own["method"].isin(list(self.seeds))]
        if own.empty:
            return pd.DataFrame()
        first = own.iloc[0]
        place = (first["dataset"], metric, pipeline, protocol, first["split"])
        planned = {
            str(name): sorted({int(seed) for seed in rows["seed"]}) for name, rows in own.groupby("method", sort=False)
        }
        try:
            found = Rows(own.assign(subject_id=own["case_id"])).panels(Choice(*place), planned)
        except MissingData:
            return pd.DataFrame()
        columns = {
            name: pd.Series(mean_of_known(one.values, axis=1), index=list(one.patients)) for name, one in found.items()
        }
        return pd.DataFrame(columns).dropna(how="all")

    def label(self, method: Hashable) -> Text:
        """The name with its badges: simple baseline, single seed, missing seeds, leak and the like."""
        if method == PERFECT_MAP:
            return prose("*perfect map*")
        shown = ", ".join(self._marks(str(method)))
        return prose("{} ({})", method, shown) if shown else prose("{}", method)

    def _marks(self, method: str) -> list[str]:
        """What a reader has to know of one row; what holds for the whole run stands above all tables."""
        there, planned = self._seeds_there.get(method, 0), self.seeds.get(method, 0)
        flags = self.flags(method)
        marks = {
            "simple baseline": method in self.simple_baselines,
            f"uses {LABELS}": method in self.labelled,
            "transductive": method in self.transductive,
            "single seed": planned == 1 < max(self.seeds.values()),
            f"{there} of {planned} seeds": 0 < there < planned,
            **{flag: flag in flags for flag in ("leak", "partial")},
        }
        return [mark for mark, holds in marks.items() if holds]

    def supervision_of(self, method: Hashable) -> str:
        """What its map has seen; the perfect map is the truth."""
        return "" if method == PERFECT_MAP else self.supervision.get(str(method)) or BLANK

    def patients_of(self, method: Hashable) -> str:
        """How many there are, and of how many scans if that is another number."""
        rows = of_cases(self.of(method))
        subjects, cases = rows["subject_id"].nunique(), rows["case_id"].nunique()
        if not cases:
            return BLANK
        return str(subjects) if subjects == cases else f"{subjects} ({count_text(cases, 'scan')})"


def numbers_of(lines: pd.DataFrame) -> list[Number]:
    """A number for each line of `summary.csv`."""
    columns = (lines[name] for name in NUMBERS)
    return [
        Number(mean, sd, int(n * seeds), int((n + left_out) * planned), int(seeds), lowest, highest, why)
        for mean, sd, n, left_out, seeds, planned, lowest, highest, why in zip(*columns, strict=True)
    ]


def select(rows: pd.DataFrame, metric: str, pipeline: str = "", protocol: str = "") -> pd.DataFrame:
    return rows[(rows["metric"] == metric) & (rows["postprocessing"] == pipeline) & (rows["protocol"] == protocol)]


def of_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that belong to single cases; not thresholds and pooled metrics."""
    return chosen(rows, rows["case_id"] != "")


def lesion_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases that have a lesion, and those of no single case."""
    return chosen(rows, rows["case_id"].isin(lesion_case_ids(rows)) | (rows["case_id"] == ""))


def healthy_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases without lesion, and those of no single case."""
    return chosen(rows, ~rows["case_id"].isin(lesion_case_ids(rows)))
