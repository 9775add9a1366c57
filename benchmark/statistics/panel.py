"""Panels: one number of one method as patients x training seeds, how rows become it, its mean, and pairs of panels.

This is the only place that averages: the scans of a patient, then sampling seeds, then patients and training seeds.
Implants alone are averaged in `analysis.implants`, for the reasons in decision 21.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from datasets.errors import MissingData

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
Question = Literal["these weights", "this recipe"]
QUESTIONS: tuple[Question, Question] = ("these weights", "this recipe")
TRAINED_MODEL, TRAINING_PROCEDURE = QUESTIONS
"""Of the fits as they are, patients drawn anew; of the procedure, its training seeds drawn anew as well."""
FEWEST_PATIENTS = 6
"""Of five patients, the smallest exact two-sided p-value is 2 / 32."""
FEWEST_SEEDS = 3
SEEDS_FOR_A_CLAIM = 5
LOGGED = ("l1_ratio",)
"""Metrics that are compared as logarithms, and whose mean is the geometric one."""
KEY = ["dataset", "metric", "postprocessing", "protocol", "split", "shift", "severity"]


@dataclass(frozen=True)
class Choice:
    """What is averaged or compared, and where.

    Attributes:
        postprocessing, protocol: "" where no pipeline or no threshold enters the metric.
        shift: the label of the acquisition shift; "none" without one.
    """

    dataset: str
    metric: str
    postprocessing: str
    protocol: str
    split: str = "test"
    shift: str = "none"
    severity: float = 0.0

    @property
    def label(self) -> str:
        parts = (self.metric, self.postprocessing, self.protocol)
        shift = "" if self.shift == "none" else f" under {self.shift}={self.severity:g}"
        return f"{' / '.join(part for part in parts if part)} on {self.dataset} ({self.split}){shift}"


@dataclass(frozen=True)
class Mean:
    """A method's mean, over the patients that have a number under every training seed that has any.

    Attributes:
        value: the geometric mean where the panel holds logarithms; NaN without such a patient.
        sd: standard deviation over patients, mean over seeds; NaN below two patients.
        n, left_out: patients averaged, and patients without a number under some seed.
        by_seed: each seed's mean over the same patients.
    """

    value: float
    sd: float
    n: int
    left_out: int
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One number of one method; the scans of a patient are averaged, and so are sampling seeds.

    Attributes:
        values: `(patients, seeds)`; NaN where the number is missing or undefined.
        seeds: the planned training seeds.
        repeats: `(patients, seeds, sampling seeds)`, the same before sampling seeds are averaged.
        scans: how many scans the patients have in all; a patient's scans are one cluster.
        logged: whether values are logarithms.
    """

    method: str
    patients: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Values
    repeats: Values
    scans: int = 0
    logged: bool = False

    @property
    def missing(self) -> int:
        """Cells of the panel without a number."""
        return int(np.isnan(self.values).sum())

    @property
    def is_empty(self) -> bool:
        """Whether no patient has a number."""
        return self.missing == self.values.size

    @property
    def absent_seeds(self) -> tuple[int, ...]:
        """Seeds under which no patient has a number."""
        empty = np.asarray(np.isnan(self.values).all(axis=0))
        return tuple(seed for seed, none in zip(self.seeds, empty, strict=True) if none)

    @property
    def complete(self) -> Values:
        """`(n, s)` the patients that have a number under every seed that has any."""
        with_any = self.values[:, ~np.isnan(self.values).all(axis=0)]
        return with_any[~np.isnan(with_any).any(axis=1)] if with_any.shape[1] else np.zeros((0, 0))

    @property
    def mean(self) -> Mean:
        """Over the patients of `complete`, each seed weighing the same."""
        kept = self.complete
        n, seeds = kept.shape
        left_out = len(self.patients) - n
        if not n:
            return Mean(nan, nan, 0, left_out, ())
        shown = np.exp(kept) if self.logged else kept
        back = np.exp if self.logged else float
        return Mean(
            value=float(back(kept.mean())),
            sd=float(shown.std(axis=0, ddof=1).mean()) if n > 1 else nan,
            n=n,
            left_out=left_out,
            by_seed=tuple(float(back(kept[:, column].mean())) for column in range(seeds)),
        )

    def under(self, seed: int) -> "Panel":
        """The panel of one training seed."""
        column = [self.seeds.index(seed)]
        return replace(self, seeds=(seed,), values=self.values[:, column], repeats=self.repeats[:, column])

    def quantile(self, level: float) -> float:
        """Over the patients of `complete`, mean over seeds; NaN without a patient."""
        kept = self.complete
        return float(np.quantile(kept, level, axis=0).mean()) if len(kept) else nan

    @property
    def share_above_0(self) -> float:
        """Of the patients of `complete`, mean over seeds; NaN without a patient."""
        kept = self.complete
        return float((kept > 0).mean()) if len(kept) else nan

    def of(self, patients: NDArray[np.bool_]) -> "Panel":
        """The panel of some of its patients; `patients` is `(patients,)`."""
        names = tuple(name for name, kept in zip(self.patients, patients, strict=True) if kept)
        return replace(self, patients=names, values=self.values[patients], repeats=self.repeats[patients])


class Rows:
    """A run's rows grouped by choice, so that a panel reads its own rows alone.

    Args:
        rows: as `read_rows` gives them; those without a training seed are left out.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.frame = rows[rows["seed"].notna()].reset_index(drop=True)
        of_cases = (self.frame["case_id"] != "").to_numpy()
        groups: Mapping[Any, Any] = self.frame.groupby(KEY, sort=False).indices
        kept = {Choice(*key): np.asarray(places) for key, places in groups.items()}
        self._cases = {choice: places[of_cases[places]] for choice, places in kept.items()}
        self._cohorts = {choice: places[~of_cases[places]] for choice, places in kept.items()}

    @property
    def choices(self) -> list[Choice]:
        """Every choice of which there are rows of single cases, in the order of the rows."""
        return [choice for choice, places in self._cases.items() if places.size]

    @property
    def cohort_choices(self) -> list[Choice]:
        """Every choice of which there are numbers of a whole cohort."""
        return [choice for choice, places in self._cohorts.items() if places.size]

    @property
    def defined(self) -> frozenset[Choice]:
        """The choices of which any case has a number."""
        known = self.frame["value"].notna().to_numpy()
        return frozenset(choice for choice, places in self._cases.items() if known[places].any())

    def of_cohort(self, choice: Choice) -> "pd.DataFrame":
        """The rows of one choice that belong to a whole cohort."""
        return self.frame.iloc[self._cohorts.get(choice, np.empty(0, dtype=np.intp))]

    def of(self, choice: Choice, cases: Collection[str] | None = None) -> "pd.DataFrame":
        """The rows of one choice that belong to single cases, or to some of them."""
        found = self.frame.iloc[self._cases.get(choice, np.empty(0, dtype=np.intp))]
        return found if cases is None else found[found["case_id"].isin(cases)]

    def panels(
        self, choice: Choice, seeds: Mapping[str, Sequence[int]], cases: Collection[str] | None = None
    ) -> dict[str, Panel]:
        """A panel for each method of `seeds`, all over the same patients in the same order.

        Args:
            seeds: the planned training seeds of each method.
            cases: ids of those that count; None for all.

        Raises:
            MissingData: no row is of this choice.
        """
        found = self.of(choice, cases)
        if found.empty:
            raise MissingData(f"No rows of {choice.label}. {_available(self.frame, choice)}")
        return _panels(found, choice.metric, seeds)

    def cohort_panels(self, choice: Choice, seeds: Mapping[str, Sequence[int]]) -> dict[str, Panel]:
        """The same of a number of the whole cohort, which counts as one patient; empty without a row."""
        return _panels(self.of_cohort(choice), choice.metric, seeds)


def aligned(panels: Sequence[Panel]) -> list[Panel]:
    """The panels over the patients and seeds that all of them name, in the order of the first."""
    shared = set[str].intersection(*(set(one.patients) for one in panels))
    patients = [name for name in panels[0].patients if name in shared]
    seeds = [seed for seed in panels[0].seeds if all(seed in one.seeds for one in panels)]
    return [_part(one, patients, seeds) for one in panels]


def difference(a: Panel, b: Panel) -> Panel:
    """`a - b` over the patients and seeds that both name; NaN where either has no number."""
    first, second = aligned([a, b])
    values = first.values - second.values
    return replace(first, values=values, repeats=values[..., None])


def _part(panel: Panel, patients: Sequence[str], seeds: Sequence[int]) -> Panel:
    rows = {name: place for place, name in enumerate(panel.patients)}
    places = np.ix_([rows[name] for name in patients], [panel.seeds.index(seed) for seed in seeds])
    return replace(
        panel, patients=tuple(patients), seeds=tuple(seeds), values=panel.values[places], repeats=panel.repeats[places]
    )


@dataclass(frozen=True)
class Pair:
    """What two panels share.

    Attributes:
        a, b: `(n, s)`, complete; one line for each patient of `kept`.
        kept: `(all patients,)` of the panels, True for those that are in.
        seeds: of both methods; a seed redraws the healthy cases of both alike, so they are paired too.
        left_out_seeds: those that one of the methods lacks.
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
    def means(self) -> tuple[float, float]:
        """Of `a` and of `b`; NaN without a patient."""
        return (float(self.a.mean()), float(self.b.mean())) if self.n else (nan, nan)

    @property
    def sd(self) -> float:
        return float(self.by_patient.std(ddof=1)) if self.n > 1 else nan


def pair(a: Panel, b: Panel) -> Pair:
    """Patients and seeds that two panels over the same patients have in common; nothing missing is filled in.

    Raises:
        ValueError: the panels are not of the same patients.
    """
    if a.patients != b.patients:
        raise ValueError(f"Got panels of {len(a.patients)} and {len(b.patients)} patients, expected the same ones.")
    absent = {*a.absent_seeds, *b.absent_seeds}
    seeds = tuple(seed for seed in a.seeds if seed in b.seeds and seed not in absent)
    columns_a, columns_b = ([panel.seeds.index(seed) for seed in seeds] for panel in (a, b))
    values_a, values_b = a.values[:, columns_a], b.values[:, columns_b]
    kept = np.asarray(~(np.isnan(values_a) | np.isnan(values_b)).any(axis=1))
    if not seeds:
        kept = np.zeros(len(a.patients), dtype=bool)
    left_out = tuple(sorted({*a.seeds, *b.seeds} - {*seeds}))
    return Pair(a.method, b.method, values_a[kept], values_b[kept], kept, seeds, left_out)


def mean_of_known(values: Values, axis: int) -> Values:
    """The mean over what is not NaN; NaN where nothing is, without a warning."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(counts, total / np.maximum(counts, 1), np.nan)


def _panels(found: "pd.DataFrame", metric: str, seeds: Mapping[str, Sequence[int]]) -> dict[str, Panel]:
    patients = tuple(sorted(found["subject_id"].unique()))
    scans = found["case_id"].nunique()
    by_method = dict(iter(found.groupby("method", sort=False)))
    nothing = found[:0]
    return {
        method: _panel(by_method.get(method, nothing), method, patients, tuple(planned), scans, logged=metric in LOGGED)
        for method, planned in seeds.items()
    }


def _panel(
    rows: "pd.DataFrame", method: str, patients: tuple[str, ...], seeds: tuple[int, ...], scans: int, *, logged: bool
) -> Panel:
    import pandas as pd

    rows = rows[rows["seed"].isin(seeds)]
    sampling = sorted(rows["sampling_seed"].dropna().unique()) or [0.0]
    repeats = np.full((len(patients), len(seeds), len(sampling)), np.nan)
    # A patient's scans: the mean of those that are defined.
    means = rows.groupby(["subject_id", "seed", "sampling_seed"])["value"].mean()
    places = (patients, seeds, sampling)
    found = [pd.Index(names).get_indexer(means.index.get_level_values(at)) for at, names in enumerate(places)]
    repeats[tuple(found)] = means.to_numpy()
    if logged:
        with np.errstate(divide="ignore", invalid="ignore"):
            repeats = np.where(repeats > 0, np.log(repeats), np.nan)
    return Panel(method, patients, seeds, mean_of_known(repeats, axis=2), repeats, scans, logged)


def _available(rows: "pd.DataFrame", choice: Choice) -> str:
    """What the cohort has of this metric, for a user who named something else."""
    there = rows[(rows["dataset"] == choice.dataset) & (rows["metric"] == choice.metric) & (rows["case_id"] != "")]
    if there.empty:
        metrics = sorted(rows.loc[(rows["dataset"] == choice.dataset) & (rows["case_id"] != ""), "metric"].unique())
        return f"Available metrics: {', '.join(metrics) or 'none'}."
    kept = there[["postprocessing", "protocol", "split"]].drop_duplicates().itertuples(index=False)
    return f"Available: {', '.join(' / '.join(part for part in one if part) for one in kept)}."
