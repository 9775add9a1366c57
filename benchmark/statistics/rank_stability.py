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
    return Described(tuple(universes), tuple(methods), scores, kendall(scores), shares)


def kendall(scores: Values) -> Values:
    """Tau-b between all lines of `(universes, methods)`.

    References:
        Kendall, Biometrika 33 (1945) 239-251.
    """
    first, second = np.triu_indices(scores.shape[1], 1)
    order = np.sign(scores[:, first] - scores[:, second])
    decided = np.abs(order).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(order @ order.T / np.sqrt(np.outer(decided, decided)))


def by_axis(described: Described, reference: Universe) -> dict[str, Values]:
    """For each axis the taus of the universes that differ from the reference in it alone."""
    tau = described.against(reference)
    return {axis: tau[[one.differs_only_in(axis, reference) for one in described.universes]] for axis in AXES}
