"""Panel: one number of one method as patients x training seeds, and how it comes from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from datasets.errors import MissingData

if TYPE_CHECKING:
    import pandas as pd


Values = NDArray[np.float64]
LOGGED = ("l1_ratio",)
"""Metrics whose patients are averaged geometrically: compared as logarithms."""


@dataclass(frozen=True)
class Choice:
    """What is compared, and where.

    Attributes:
        postprocessing, protocol: "" for what no chain or no threshold enters.
    """

    dataset: str
    metric: str
    postprocessing: str
    protocol: str
    split: str = "test"

    @property
    def label(self) -> str:
        parts = (self.metric, self.postprocessing, self.protocol)
        return f"{' / '.join(part for part in parts if part)} on {self.dataset} ({self.split})"


@dataclass(frozen=True)
class Panel:
    """One number of one method; scans of a patient are averaged, and so are sampling seeds.

    Attributes:
        values: `(patients, seeds)`; NaN where the number is missing or undefined.
        seeds: the training seeds that there were to be.
        repeats: `(patients, seeds, sampling seeds)`, the same before sampling seeds are averaged.
        scans: how many the patients have in all; a patient's scans are one cluster.
    """

    method: str
    patients: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Values
    repeats: Values
    scans: int = 0

    @property
    def missing(self) -> int:
        """Cells of the panel without a number."""
        return int(np.isnan(self.values).sum())

    @property
    def absent_seeds(self) -> tuple[int, ...]:
        """Seeds of which no patient has a number."""
        empty = np.asarray(np.isnan(self.values).all(axis=0))
        return tuple(seed for seed, none in zip(self.seeds, empty, strict=True) if none)


def panels(rows: "pd.DataFrame", choice: Choice, seeds: Mapping[str, Sequence[int]]) -> dict[str, Panel]:
    """A panel for each method of `seeds`, all over the same patients in the same order.

    Args:
        rows: as `read_rows` gives them; shifted ones are left out.
        seeds: of each method the training seeds that were planned.

    Raises:
        MissingData: no row is of this choice.
    """
    found = _chosen(rows, choice)
    if found.empty:
        raise MissingData(f"No rows of {choice.label}. {_available(rows, choice)}")
    patients = tuple(sorted(found["subject_id"].unique()))
    return {method: _panel(found, method, patients, tuple(planned)) for method, planned in seeds.items()}


def _chosen(rows: "pd.DataFrame", choice: Choice) -> "pd.DataFrame":
    wanted = {
        "dataset": choice.dataset,
        "metric": choice.metric,
        "postprocessing": choice.postprocessing,
        "protocol": choice.protocol,
        "split": choice.split,
        "shift": "none",
    }
    kept = rows["case_id"] != ""
    for column, value in wanted.items():
        kept &= rows[column] == value
    return rows[kept & rows["seed"].notna()]


def _panel(found: "pd.DataFrame", method: str, patients: tuple[str, ...], seeds: tuple[int, ...]) -> Panel:
    rows = found[found["method"] == method]
    sampling = sorted(rows["sampling_seed"].dropna().unique()) or [0.0]
    repeats = np.full((len(patients), len(seeds), len(sampling)), np.nan)
    lines = {name: index for index, name in enumerate(patients)}
    # A patient's scans: the mean of those that are defined.
    means = rows.groupby(["subject_id", "seed", "sampling_seed"])["value"].mean()
    for patient, seed, drawn, value in means.reset_index().itertuples(index=False):
        if seed in seeds:
            repeats[lines[patient], seeds.index(int(seed)), sampling.index(drawn)] = value
    if not rows.empty and rows["metric"].iloc[0] in LOGGED:
        with np.errstate(divide="ignore", invalid="ignore"):
            repeats = np.where(repeats > 0, np.log(repeats), np.nan)
    return Panel(method, patients, seeds, mean_of_known(repeats, axis=2), repeats, found["case_id"].nunique())


def mean_of_known(values: Values, axis: int) -> Values:
    """The mean over what is not NaN; NaN where nothing is, without a warning."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(counts, total / np.maximum(counts, 1), np.nan)


def _available(rows: "pd.DataFrame", choice: Choice) -> str:
    """What there is of this metric in this cohort, for whoever asked for something else."""
    there = rows[(rows["dataset"] == choice.dataset) & (rows["metric"] == choice.metric) & (rows["case_id"] != "")]
    if there.empty:
        metrics = sorted(rows.loc[(rows["dataset"] == choice.dataset) & (rows["case_id"] != ""), "metric"].unique())
        return f"Available metrics: {', '.join(metrics) or 'none'}."
    kept = there[["postprocessing", "protocol", "split"]].drop_duplicates().itertuples(index=False)
    return f"Available: {', '.join(' / '.join(part for part in one if part) for one in kept)}."


@dataclass(frozen=True)
class Pair:
    """What two panels share.

    Attributes:
        a, b: `(n, s)`, complete; a line a patient of `kept`.
        kept: `(all patients,)` of the panels, True for those that are in.
        seeds: that both methods have; a seed redraws the healthy cases of both alike, so they are paired too.
        left_out_seeds: that one of the methods lacks.
    """

    name_a: str
    name_b: str
    a: Values
    b: Values
    kept: NDArray[np.bool_]
    seeds: tuple[int, ...]
    left_out_seeds: tuple[int, ...]

    @property
    def differences(self) -> Values:
        """`(n, s)` a - b."""
        return self.a - self.b

    @property
    def by_patient(self) -> Values:
        """`(n,)` the differences, seeds averaged."""
        return self.differences.mean(axis=1) if self.seeds else np.empty(0)

    @property
    def n(self) -> int:
        return len(self.a)

    @property
    def left_out(self) -> int:
        """Patients that lack a number of either method under any common seed."""
        return int((~self.kept).sum())

    @property
    def sd(self) -> float:
        return float(self.by_patient.std(ddof=1)) if self.n > 1 else float("nan")


def pair(a: Panel, b: Panel) -> Pair:
    """Patients and seeds that two panels over the same patients have in common; nothing missing is filled in.

    Raises:
        ValueError: the panels are not of the same patients.
    """
    if a.patients != b.patients:
        raise ValueError(f"Got panels of {len(a.patients)} and {len(b.patients)} patients, wanted the same ones.")
    absent = {*a.absent_seeds, *b.absent_seeds}
    seeds = tuple(seed for seed in a.seeds if seed in b.seeds and seed not in absent)
    columns_a, columns_b = ([panel.seeds.index(seed) for seed in seeds] for panel in (a, b))
    values_a, values_b = a.values[:, columns_a], b.values[:, columns_b]
    kept = np.asarray(~(np.isnan(values_a) | np.isnan(values_b)).any(axis=1))
    if not seeds:
        kept = np.zeros(len(a.patients), dtype=bool)
    left_out = tuple(sorted({*a.seeds, *b.seeds} - {*seeds}))
    return Pair(a.method, b.method, values_a[kept], values_b[kept], kept, seeds, left_out)


Question = Literal["these weights", "this recipe"]
QUESTIONS: tuple[Question, ...] = ("these weights", "this recipe")
FEWEST_PATIENTS = 6
"""Of five patients, the smallest exact two-sided p-value is 2 / 32."""
FEWEST_SEEDS = 3
SEEDS_FOR_A_CLAIM = 5
