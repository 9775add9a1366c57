"""Panels: one number of one method as patients x training seeds, how rows become it, and its mean.

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
Question = Literal["this trained model", "this training procedure"]
QUESTIONS: tuple[Question, Question] = ("this trained model", "this training procedure")
TRAINED_MODEL, TRAINING_PROCEDURE = QUESTIONS
"""Of the fits as they are, patients drawn anew; of the procedure, its training seeds drawn anew as well."""
FEWEST_PATIENTS = 6
"""Of five patients, the smallest exact two-sided p-value is 2 / 32."""
FEWEST_SEEDS = 3
SEEDS_FOR_A_CLAIM = 5
LOGGED = ("l1_ratio",)
"""Metrics that are compared as logarithms, and whose mean is the geometric one."""
NOWHERE = np.empty(0, dtype=np.intp)
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
    def what(self) -> str:
        """Metric, pipeline and threshold."""
        return " / ".join(part for part in (self.metric, self.postprocessing, self.protocol) if part)

    @property
    def label(self) -> str:
        shift = "" if self.shift == "none" else f" under {self.shift}={self.severity:g}"
        return f"{self.what} on {self.dataset} ({self.split}){shift}"


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
class Scans:
    """The same number of one method before the scans of a patient are averaged.

    Attributes:
        cases: ids of the scans.
        owners: `(scans,)` the place of each scan's patient among the panel's patients.
        values: `(scans, seeds, sampling seeds)`; NaN where the number is missing or undefined.
    """

    cases: tuple[str, ...]
    owners: NDArray[np.intp]
    values: Values


@dataclass(frozen=True)
class Panel:
    """One number of one method; the scans of a patient are averaged, and so are sampling seeds.

    Attributes:
        values: `(patients, seeds)`; NaN where the number is missing or undefined.
        seeds: the planned training seeds.
        repeats: `(patients, seeds, sampling seeds)`, the same before sampling seeds are averaged.
        scans: how many scans the patients have in all; a patient's scans are one cluster.
        logged: whether values are logarithms.
        single: the numbers of single scans; None where there are none, as in an area over doses.
    """

    method: str
    patients: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Values
    repeats: Values
    scans: int = 0
    logged: bool = False
    single: Scans | None = None

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
        return self._part(range(len(self.patients)), [self.seeds.index(seed)])

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
        return self._part(np.flatnonzero(patients).tolist(), range(len(self.seeds)))

    def over(self, patients: Sequence[str], seeds: Sequence[int]) -> "Panel":
        """The panel of the patients and seeds that are named, in their order."""
        places = {name: place for place, name in enumerate(self.patients)}
        return self._part([places[name] for name in patients], [self.seeds.index(seed) for seed in seeds])

    def _part(self, patients: Sequence[int], seeds: Sequence[int]) -> "Panel":
        """Patients and seeds by their places."""
        chosen, single = np.ix_(patients, seeds), None
        if self.single is not None:
            moved = {old: new for new, old in enumerate(patients)}
            kept = [place for place, owner in enumerate(self.single.owners.tolist()) if owner in moved]
            owners = np.array([moved[int(self.single.owners[place])] for place in kept], dtype=np.intp)
            cases = tuple(self.single.cases[place] for place in kept)
            single = Scans(cases, owners, self.single.values[np.ix_(kept, seeds)])
        return replace(
            self, patients=tuple(self.patients[place] for place in patients),
            seeds=tuple(self.seeds[place] for place in seeds), values=self.values[chosen],
            repeats=self.repeats[chosen], single=single,
        )  # fmt: skip

    def averaged_over(self, single: Scans) -> "Panel":
        """The panel made anew of these numbers of its scans."""
        repeats = _by_patient(single, len(self.patients), logged=self.logged)
        return replace(self, values=mean_of_known(repeats, axis=2), repeats=repeats, single=single)


class Rows:
    """A run's rows grouped by choice, so that a panel reads its own rows alone.

    Args:
        rows: as `read_rows` gives them; those without a training seed are left out.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.frame = rows
        of_cases, seeded = (rows["case_id"] != "").to_numpy(), np.flatnonzero(rows["seed"].notna())
        groups: Mapping[Any, Any] = rows[KEY].iloc[seeded].groupby(KEY, sort=False).indices
        kept = {Choice(*key): seeded[places] for key, places in groups.items()}
        self._cases = {choice: places[of_cases[places]] for choice, places in kept.items()}
        self._cohorts = {choice: places[~of_cases[places]] for choice, places in kept.items()}
        self._method, self._case, self._subject = (
            _Coded.of(self.frame[column]) for column in ("method", "case_id", "subject_id")
        )
        self._seed, self._sampling, self._value = (
            self.frame[column].to_numpy(np.float64) for column in ("seed", "sampling_seed", "value")
        )

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
        known = ~np.isnan(self._value)
        return frozenset(choice for choice, places in self._cases.items() if known[places].any())

    def of_cohort(self, choice: Choice) -> "pd.DataFrame":
        """The rows of one choice that belong to a whole cohort."""
        return self.frame.iloc[self._cohorts.get(choice, NOWHERE)]

    def of(self, choice: Choice, cases: Collection[str] | None = None) -> "pd.DataFrame":
        """The rows of one choice that belong to single cases, or to some of them."""
        return self.frame.iloc[self._places(choice, cases)]

    def case_ids(self, choice: Choice) -> frozenset[str]:
        """Of the cases that have rows of a choice."""
        return frozenset(self._case.among(self._places(choice)))

    def methods(self, choice: Choice, cases: Collection[str] | None = None) -> frozenset[str]:
        """Those that have rows of a choice and single cases, or of some of the cases."""
        return frozenset(self._method.among(self._places(choice, cases)))

    def methods_of_cohort(self, choice: Choice) -> frozenset[str]:
        """Those that have a number of the whole cohort."""
        return frozenset(self._method.among(self._cohorts.get(choice, NOWHERE)))

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
        places = self._places(choice, cases)
        if not places.size:
            raise MissingData(
                f"No rows of {choice.label}. {_available(self.frame[self.frame['seed'].notna()], choice)}"
            )
        return self._panels(places, choice.metric, seeds)

    def cohort_panels(self, choice: Choice, seeds: Mapping[str, Sequence[int]]) -> dict[str, Panel]:
        """The same of a number of the whole cohort, which counts as one patient; empty without a row."""
        return self._panels(self._cohorts.get(choice, NOWHERE), choice.metric, seeds)

    def _places(self, choice: Choice, cases: Collection[str] | None = None) -> NDArray[np.intp]:
        places = self._cases.get(choice, NOWHERE)
        return places if cases is None else places[np.isin(self._case.codes[places], self._case.codes_of(cases))]

    def _panels(self, places: NDArray[np.intp], metric: str, seeds: Mapping[str, Sequence[int]]) -> dict[str, Panel]:
        case_codes, first, scans = np.unique(self._case.codes[places], return_index=True, return_inverse=True)
        subject_codes, owners = np.unique(self._subject.codes[places][first], return_inverse=True)
        cases, patients = self._case.named(case_codes), self._subject.named(subject_codes)
        methods, found = self._method.codes[places], {}
        for (method, planned), code in zip(seeds.items(), self._method.codes_of(seeds), strict=True):
            own = methods == code
            values = self._values(places[own], scans[own], len(cases), planned)
            panel = Panel(method, patients, tuple(planned), np.empty(0), np.empty(0), len(cases), metric in LOGGED)
            found[method] = panel.averaged_over(Scans(cases, owners, values))
        return found

    def _values(self, places: NDArray[np.intp], scans: NDArray[np.intp], count: int, seeds: Sequence[int]) -> Values:
        """`(count, seeds, sampling seeds)` the numbers of one method's rows; `scans` says which scan each is of."""
        planned = self._seed[places][:, None] == np.asarray(seeds, np.float64)
        drawn = self._sampling[places]
        kept = planned.any(axis=1) & ~np.isnan(drawn)
        sampling, at = np.unique(drawn[kept], return_inverse=True)
        shape = (count, len(seeds), max(1, sampling.size))
        return _means_at(shape, (scans[kept], planned[kept].argmax(axis=1), at), self._value[places][kept])


@dataclass(frozen=True)
class _Coded:
    """A column of texts as numbers.

    Attributes:
        codes: of each row, in the order of the texts.
        places: of each text its number.
    """

    codes: NDArray[np.intp]
    places: Mapping[str, int]

    @classmethod
    def of(cls, column: "pd.Series[Any]") -> "_Coded":
        codes, names = column.factorize(sort=True)
        return cls(codes, {name: code for code, name in enumerate(names)})

    def codes_of(self, names: Collection[str]) -> NDArray[np.intp]:
        """-1 of a text that the column does not hold."""
        return np.array([self.places.get(name, -1) for name in names], dtype=np.intp)

    def named(self, codes: NDArray[np.intp]) -> tuple[str, ...]:
        names = tuple(self.places)
        return tuple(names[code] for code in codes)

    def among(self, places: NDArray[np.intp]) -> tuple[str, ...]:
        """The texts of some rows, each once."""
        return self.named(np.unique(self.codes[places]))


def _means_at(shape: tuple[int, ...], places: tuple[NDArray[np.intp], ...], values: Values) -> Values:
    """Of an array of this shape at each place the mean of its values that are not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    total, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(total, places, np.where(known, values, 0.0))
    np.add.at(counts, places, known)
    return np.where(counts, total / np.maximum(counts, 1), np.nan)


def mean_of_known(values: Values, axis: int) -> Values:
    """The mean over what is not NaN; NaN where nothing is, without a warning."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(counts, total / np.maximum(counts, 1), np.nan)


def _by_patient(single: Scans, patients: int, *, logged: bool) -> Values:
    """`(patients, seeds, sampling seeds)` of a patient's scans the mean of those that are defined."""
    means = _means_at((patients, *single.values.shape[1:]), (single.owners,), single.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(means > 0, np.log(means), np.nan) if logged else means


def _available(rows: "pd.DataFrame", choice: Choice) -> str:
    """What the cohort has of this metric, for a user who named something else."""
    there = rows[(rows["dataset"] == choice.dataset) & (rows["metric"] == choice.metric) & (rows["case_id"] != "")]
    if there.empty:
        metrics = sorted(rows.loc[(rows["dataset"] == choice.dataset) & (rows["case_id"] != ""), "metric"].unique())
        return f"Available metrics: {', '.join(metrics) or 'none'}."
    kept = there[["postprocessing", "protocol", "split"]].drop_duplicates().itertuples(index=False)
    return f"Available: {', '.join(' / '.join(part for part in one if part) for one in kept)}."
