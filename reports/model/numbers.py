"""Numbers of methods as `summary.csv` holds them, and parts of a run's rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import NamedTuple

import pandas as pd

PERFECT_MAP = "perfect-map"


@dataclass(frozen=True)
class Number:
    """One number of one method.

    Attributes:
        value: NaN if undefined.
        sd: standard deviation over patients; NaN for a single patient.
        seeds: the lowest and the highest mean of single training seeds; () where there is one seed only.
        defined, wanted: patients that it is over, of those that there are, all planned seeds counted; none wanted
            means missing.
    """

    value: float
    sd: float = nan
    seeds: tuple[float, ...] = ()
    defined: int = 0
    wanted: int = 0


MISSING_NUMBER = Number(nan)


class Place(NamedTuple):
    """Where a number stands among those of one cohort."""

    method: str
    metric: str
    postprocessing: str = ""
    protocol: str = ""
    kind: str = "mean"
    shift: str = "none"
    severity: float = 0.0


def numbers_by_place(lines: pd.DataFrame) -> Mapping[Place, Number]:
    """The numbers of one cohort's lines of `summary.csv`, those of parts of the patients left out."""
    whole = lines[(lines["group"] == "") & (lines["stratum"] == "")]
    found: dict[Place, Number] = {}
    for line in whole.to_dict("records"):
        several = line["seeds"] > 1 and not isnan(line["lowest_seed"])
        number = Number(
            value=line["mean"],
            sd=line["sd"],
            seeds=(line["lowest_seed"], line["highest_seed"]) if several else (),
            defined=int(line["n"] * line["seeds"]),
            wanted=int((line["n"] + line["left_out"]) * line["planned"]),
        )
        # Two questions are asked of one mean: the lines differ in the interval alone.
        found.setdefault(Place(*(line[name] for name in Place._fields)), number)
    return found


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


def _with_lesion(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows.loc[rows["metric"].isin(["lesion_ml", "dice"]), "case_id"]
