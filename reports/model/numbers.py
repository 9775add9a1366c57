"""Number: one statistic of one method, and how it comes from rows: scans, then patients, then seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import pandas as pd

from benchmark.metrics import METRICS

Statistic = Callable[["pd.Series[float]"], float]


@dataclass(frozen=True)
class Number:
    """One statistic of one method.

    Attributes:
        value: mean over training seeds of a seed's statistic over its patients; NaN if undefined.
        sd: standard deviation over a seed's patients, mean over seeds; NaN for a single patient.
        seeds: each seed's statistic.
        defined, wanted: rows that hold a value, of those that there should be; none wanted means missing.
    """

    value: float
    sd: float
    seeds: tuple[float, ...]
    defined: int
    wanted: int


def number(
    rows: pd.DataFrame,
    metric: str,
    chain: str = "",
    protocol: str = "",
    *,
    statistic: Statistic = pd.Series.mean,
    unit: str = "subject_id",
    seeds: int = 1,
) -> Number:
    """A statistic over the units of each seed, then its mean over seeds; a unit's scans are averaged first.

    Args:
        rows: everything of one method in one cohort and split; says how many cases there are.
        unit: the column that tells the units apart.
        seeds: how many there were to be; rows of those that are not there are wanted too.
    """
    found = select(rows, metric, chain, protocol)
    if found.empty and not _undefined(rows, metric, chain, protocol):
        return Number(nan, nan, (), 0, 0)
    units = found.dropna(subset="value").groupby(["seed", unit], dropna=False)["value"].mean()
    parts = [values for _, values in units.groupby(level="seed", dropna=False)]
    return Number(
        value=_mean([float(statistic(values)) for values in parts]),
        sd=_mean([float(values.std()) for values in parts]),
        seeds=tuple(float(statistic(values)) for values in parts),
        defined=len(found.dropna(subset="value")),
        wanted=_wanted(rows, metric, seeds),
    )


def select(rows: pd.DataFrame, metric: str, chain: str = "", protocol: str = "") -> pd.DataFrame:
    chosen = (rows["metric"] == metric) & (rows["postprocessing"] == chain) & (rows["protocol"] == protocol)
    return rows[chosen]


def select_chain(rows: pd.DataFrame, chain: str) -> pd.DataFrame:
    """The rows after one chain that have a number."""
    return rows[(rows["postprocessing"] == chain) & rows["value"].notna()]


def of_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that belong to single cases; not thresholds and pooled metrics."""
    return rows[rows["case_id"] != ""]


def lesion_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases that have a lesion, and those of no single case."""
    return rows[rows["case_id"].isin(_with_lesion(rows)) | (rows["case_id"] == "")]


def healthy_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases without lesion, and those of no single case."""
    return rows[~rows["case_id"].isin(_with_lesion(rows))]


def geometric_mean(values: "pd.Series[float]") -> float:
    """For ratios; 0 where one of them is."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values.to_numpy()).mean()))


def _undefined(rows: pd.DataFrame, metric: str, chain: str, protocol: str) -> bool:
    """Whether a metric without any row is undefined: there is no threshold, or no reconstruction."""
    if protocol:
        return not select(rows, "threshold", chain, protocol).empty
    return metric in ("l1", "l1_ratio") and not rows.empty


def _wanted(rows: pd.DataFrame, metric: str, seeds: int) -> int:
    per_case = METRICS[metric].per == "case"
    counted = of_cases(rows) if per_case else rows
    there = len(counted.drop_duplicates(["seed", "sampling_seed", *(["case_id"] if per_case else [])]))
    return there * seeds // max(rows["seed"].nunique(), 1)


def _with_lesion(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows.loc[rows["metric"].isin(["lesion_ml", "dice"]), "case_id"]


def _mean(values: Sequence[float]) -> float:
    """Of those that are defined; NaN where none is."""
    known = [value for value in values if not isnan(value)]
    return float(np.mean(known)) if known else nan


PERFECT_MAP = "perfect-map"
