"""Summary: the lines of a run's `summary.csv` by what they are for; nothing is computed here."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.statistics.panel import TRAINED_MODEL
from benchmark.storage.summary_tables import (
    NO_INTERVAL,
    ComparisonLine,
    SummaryLine,
    comparisons_path,
    read_lines,
    summary_path,
)
from benchmark.study.protocols import SHIFTED
from datasets.shifts.shift import MATCHED
from datasets.simulation.implants import host_cohort


def domain_of(dataset: str, healthy: str) -> str:
    """Whether a healthy cohort, or that of its implants, is one of those that a method was fitted on."""
    return "in-domain" if host_cohort(dataset) in healthy.split("+") else "out-of-domain"


CHOICE = ["dataset", "metric", "postprocessing", "protocol"]


@dataclass(frozen=True, eq=False)
class Summary:
    """The two tables of one run; both are without a line where the run is not summarised."""

    folder: Path

    @cached_property
    def lines(self) -> pd.DataFrame:
        return read_lines(summary_path(self.folder), SummaryLine)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Pairs of methods under the endpoints of each cohort, and under what `compare` was asked for."""
        return read_lines(comparisons_path(self.folder), ComparisonLine)

    @cached_property
    def whole(self) -> pd.DataFrame:
        """Means over all patients of a cohort, unshifted."""
        lines = self.lines
        return lines[(lines["group"] == "") & (lines["stratum"] == "") & (lines["shift"] == "none")]

    @cached_property
    def standings(self) -> pd.DataFrame:
        """What has intervals and ranks; `decides` is the place of an endpoint among its cohort's, else 0.

        A cohort without any of the release's is ranked by another choice, which has the place 1.
        """
        own = self.whole[(self.whole["order"] > 0) & (self.whole["kind"] == "mean")]
        why = own["interval"].str.removeprefix(NO_INTERVAL).str.removeprefix(": ")
        decides = own["order"].where(own["order"] <= own["endpoints"], own["order"] == 1).astype(int)
        return own.assign(decides=decides, why_none=why.where(own["low"].isna(), ""))

    @cached_property
    def standings_by_choice(self) -> Mapping[tuple[Hashable, ...], pd.DataFrame]:
        return dict(iter(self.standings.groupby(CHOICE, sort=False)))

    @cached_property
    def pairs_by_choice(self) -> Mapping[tuple[Hashable, ...], pd.DataFrame]:
        """By choice and split."""
        return dict(iter(self.comparisons.groupby([*CHOICE, "split"], sort=False)))

    @cached_property
    def healthy(self) -> pd.DataFrame:
        """False positives on healthy scans, with intervals; `domain` says whether methods were fitted on the cohort."""
        own = self.whole[(self.whole["cases"] == "healthy") & (self.whole["question"] != "")]
        pairs = zip(own["dataset"], own["healthy"], strict=True)
        return own.assign(domain=[domain_of(*pair) for pair in pairs])

    def healthy_choice(self, dataset: str) -> tuple[str, str] | None:
        """Post-processing and threshold that a cohort's healthy scans are looked at under; None where none is."""
        own = self.healthy[self.healthy["dataset"] == dataset]
        return None if own.empty else (own.iloc[0]["postprocessing"], own.iloc[0]["protocol"])

    @cached_property
    def froc(self) -> pd.DataFrame:
        """Lesions found at a rate of false positives, which is the `group`; `n` counts lesions."""
        return self.lines[(self.lines["kind"] == "lesions") & (self.lines["group"] != "")]

    @cached_property
    def strata(self) -> pd.DataFrame:
        """Means by lesion size: of the patients with so much lesion, and of the lesions of that size."""
        return self.lines[self.lines["stratum"] != ""]

    @cached_property
    def subgroups(self) -> pd.DataFrame:
        """Means by `attribute` and `group` of people."""
        own = self.lines[(self.lines["kind"] == "mean") & self.lines["group"].str.contains("=")]
        parts = own["group"].str.extract("(?s)^([^=]*)=(.*)$")
        return own.assign(attribute=parts[0], group=parts[1])

    @cached_property
    def areas(self) -> pd.DataFrame:
        """Areas under dose-response curves: `change` with its interval, `arm` and `side`."""
        lines = self.lines
        key = ["dataset", "metric", "postprocessing", "protocol", "shift", "group", "method"]
        area = lines[lines["kind"] == "area"].set_index(key)["mean"]
        own = lines[lines["kind"] == "area change"].rename(columns={"mean": "change"})
        own = own.join(area, on=key).rename(columns={"group": "side"})
        matched, retuned = own["shift"].str.endswith(MATCHED), own["protocol"].str.endswith(SHIFTED)
        return own.assign(
            arm=np.where(matched, "matched", np.where(retuned, "re-tuned", "frozen")),
            shift=own["shift"].str.removesuffix(MATCHED),
            protocol=own["protocol"].str.removesuffix(SHIFTED),
            unshifted=own["mean"] - own["change"],
        )

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Quality under the choice that methods are ranked by, beside `seconds` and `bytes`."""
        lines = self.standings
        quality = lines[(lines["decides"] == 1) & (lines["question"] == TRAINED_MODEL)]
        found = quality.assign(quality=quality["mean"])[["dataset", "metric", "method", "quality"]]
        for metric, name, first in (
            ("seconds", "seconds", "first_in_time"),
            ("peak_bytes", "bytes", "first_in_memory"),
        ):
            own = self.lines[self.lines["metric"] == metric].set_index(["dataset", "method"])
            own = own.assign(**{name: own["mean"], first: (own["rank_low"] == 1).astype(int)})
            found = found.join(
                own[[name, first, *(["interval"] if metric == "seconds" else [])]], on=["dataset", "method"]
            )
        return found.rename(columns={"interval": "measured"})
