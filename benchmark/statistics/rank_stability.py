"""Universe: one way in which the same maps might have been turned into a ranking; described, never tested.

Rankings under different choices share patients and maps, so that no number of them adds evidence: what is given is how
far they agree (Kendall's tau-b) and who comes first how often.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.panel import FEWEST_PATIENTS
from datasets.errors import BadFile

Values = NDArray[np.float64]
LIST = Path(__file__).with_name("multiverse.toml")
AXES = ("metric", "postprocessing", "protocol", "normalisation", "seed")


@dataclass(frozen=True)
class Choices:
    """What is fixed beforehand."""

    metrics: tuple[str, ...]
    postprocessing: tuple[str, ...]
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class Universe:
    """One choice of everything in one cohort.

    Attributes:
        seed: None for the mean over all.
    """

    dataset: str
    metric: str
    postprocessing: str
    protocol: str
    normalisation: str
    seed: int | None

    def differs_only_in(self, axis: str, other: "Universe") -> bool:
        """Whether `other` is another universe that agrees in all but one axis."""
        return all((getattr(self, name) != getattr(other, name)) == (name == axis) for name in AXES)


@dataclass(frozen=True)
class Described:
    """What one cohort's universes say together.

    Attributes:
        methods: in the order of the columns of `scores`.
        scores: `(universes, methods)`, the higher the better.
        tau: `(universes, universes)` Kendall's tau-b; NaN where a universe ranks nothing.
        wins: share of universes that each method leads, ties shared.
    """

    universes: tuple[Universe, ...]
    methods: tuple[str, ...]
    scores: Values
    tau: Values
    wins: Mapping[str, float]

    @property
    def agreement(self) -> float:
        """Mean tau over all pairs of universes."""
        upper = self.tau[np.triu_indices(len(self.universes), 1)]
        known = upper[~np.isnan(upper)]
        return float(known.mean()) if known.size else float("nan")

    def against(self, reference: Universe) -> Values:
        """`(universes,)` tau of each with one of them."""
        return self.tau[self.universes.index(reference)]


def read_choices(path: Path = LIST) -> Choices:
    """The list of a TOML file.

    Raises:
        BadFile: it is not one.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Choices).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise BadFile(f"{path}: got a list of choices that cannot be read ({error}).") from error


def describe(universes: Sequence[Universe], methods: Sequence[str], scores: Values) -> Described:
    """Compare rankings.

    Args:
        scores: `(universes, methods)`, without NaN, the higher the better.
    """
    best = np.isclose(scores, scores.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
    wins = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    shares = {method: float(share) for method, share in zip(methods, wins, strict=True)}
    return Described(tuple(universes), tuple(methods), scores, kendall_tau(scores[:, None], scores[None]), shares)


def kendall_tau(one: Values, other: Values) -> Values:
    """Tau-b along the last axis; NaN where one of the two is all ties or holds a NaN.

    SciPy's takes a pair at a time, which is a thousand times slower over all pairs of universes or resamples.

    Args:
        one, other: `(..., M)`, which broadcast.

    References:
        Kendall, Biometrika 33 (1945) 239-251.
    """
    first, second = np.triu_indices(one.shape[-1], 1)
    left, right = (np.sign(values[..., first] - values[..., second]) for values in (one, other))
    untied = np.abs(left).sum(axis=-1) * np.abs(right).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((left * right).sum(axis=-1) / np.sqrt(untied))


def by_axis(described: Described, reference: Universe) -> dict[str, Values]:
    """For each axis the taus of the universes that differ from the reference in it alone."""
    tau = described.against(reference)
    return {axis: tau[[one.differs_only_in(axis, reference) for one in described.universes]] for axis in AXES}


ROUNDS = 2000
LEVEL = 0.95
FEWEST_METHODS = 3


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two rankings of `methods` methods; NaN where it is not defined.

    Attributes:
        low, high: percentile interval over patients of both sides; NaN where there are too few of them.
    """

    tau: float
    low: float
    high: float
    methods: int


def rank_agreement(one: Values, other: Values, *, rounds: int = ROUNDS, seed: int = 0) -> Agreement:
    """Agreement of the methods' means over the patients of two cohorts.

    The methods are fixed; patients of each cohort are drawn with replacement, all methods' numbers of a patient
    together.

    Args:
        one, other: `(P, M)` and `(Q, M)`: a number a patient and method, NaN where undefined.
    """
    methods = one.shape[1]
    if methods < FEWEST_METHODS:
        return Agreement(np.nan, np.nan, np.nan, methods)
    tau = float(kendall_tau(*(_means(side, np.ones((1, len(side))))[0] for side in (one, other))))
    if min(len(one), len(other)) < FEWEST_PATIENTS:
        return Agreement(tau, np.nan, np.nan, methods)
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=rounds) for side in (one, other)]
    taus = kendall_tau(_means(one, drawn[0]), _means(other, drawn[1]))
    if np.isnan(taus).all():
        return Agreement(tau, np.nan, np.nan, methods)
    low, high = np.nanquantile(taus, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Agreement(tau, float(low), float(high), methods)


def _means(values: Values, weights: NDArray[np.number]) -> Values:
    """Weighted means over patients of what is defined: `(R, M)`."""
    known = ~np.isnan(values)
    total = weights @ known
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ np.where(known, values, 0)) / total)
