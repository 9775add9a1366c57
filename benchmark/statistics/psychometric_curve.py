"""The lesion audiogram: the contrast at which half of the lesions are found, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmark.statistics.panel import FEWEST_PATIENTS

Numbers = NDArray[np.float64]
State = Literal["reached", "not reached", "below", "chance"]

ROUNDS = 300
LEVEL = 0.95
TINY = 1e-6
STEEPEST, SHALLOWEST = 12.0, 0.7  # slopes a natural log unit of contrast
LAPSES = (0.0, 0.03, 0.1)
GUESSES = (0.0, 0.02, 0.05, 0.1, 0.17, 0.25, 0.35, 0.48, 0.6, 0.8)


@dataclass(frozen=True)
class Psychometric:
    """Share of lesions found against contrast: `guess + (1 - guess - lapse) logistic(slope (log c - log midpoint))`.

    Attributes:
        guess: share found at contrast 0, in [0, 0.95]: alarms that are there anyway.
        lapse: share missed at any contrast, in [0, 0.1].
        midpoint: contrast halfway between the two.
        slope: a natural log unit of contrast.
    """

    guess: float
    lapse: float
    midpoint: float
    slope: float

    def rate(self, contrast: Sequence[float] | Numbers) -> Numbers:
        """At contrasts of at least 0."""
        with np.errstate(divide="ignore"):
            place = self.slope * (np.log(np.asarray(contrast, dtype=np.float64)) - np.log(self.midpoint))
        return np.asarray(self.guess + (1 - self.guess - self.lapse) * special.expit(place))

    @property
    def half(self) -> float:
        """The contrast at which half are found; infinite where that is never, 0 where it is always."""
        if self.guess >= 0.5:
            return 0.0
        odds = (0.5 - self.guess) / (0.5 - self.lapse)
        return float(self.midpoint * odds ** (1 / self.slope))


@dataclass(frozen=True)
class HalfFound:
    """One point of the audiogram.

    Attributes:
        state: `reached`; `not reached` at the highest contrast tried; `below` the lowest one tried; `chance`, where
            half are found at contrast 0 already.
        contrast: NaN unless reached: nothing is extrapolated.
        low, high: of the interval over subjects; 0 and infinity stand for ends outside the contrasts tried, NaN where
            there are too few subjects.
        curve: the fitted function.
        trials, subjects: what it was fitted to.
    """

    state: State
    contrast: float
    low: float
    high: float
    curve: Psychometric
    trials: int
    subjects: int


@dataclass(frozen=True)
class Trials:
    """What was found, one entry a lesion; contrast 0 is a control.

    Attributes:
        subject: whose scan it lies in; scans of a subject move together.
        contrast: magnitude, at least 0.
        found: 0 or 1.
    """

    subject: Sequence[str]
    contrast: Numbers
    found: Numbers

    @cached_property
    def levels(self) -> Numbers:
        """The contrasts that occur, ascending."""
        return np.unique(self.contrast)

    @cached_property
    def counts(self) -> tuple[Numbers, Numbers]:
        """Lesions found and tried, `(S, L)` each: by subject and level."""
        subjects, row = np.unique(np.asarray(self.subject), return_inverse=True)
        column = np.searchsorted(self.levels, self.contrast)
        tried = np.zeros((len(subjects), len(self.levels)))
        hit = np.zeros_like(tried)
        np.add.at(tried, (row, column), 1)
        np.add.at(hit, (row, column), self.found)
        return hit, tried


def half_found(trials: Trials, *, rounds: int = ROUNDS, seed: int = 0) -> HalfFound:
    """Fit the psychometric function and draw `rounds` samples of subjects for the interval.

    The bootstrap resamples whole subjects and refits over a grid of parameters, which the point estimate starts from;
    the interval is the percentiles of the contrasts at half. Ends outside the contrasts tried are said as such.

    Raises:
        ValueError: no contrast above 0.
    """
    hit, tried = trials.counts
    levels = trials.levels
    if not (levels > 0).any():
        raise ValueError("Got no lesion with contrast, expected some.")
    curve = fit_psychometric(levels, hit.sum(axis=0), tried.sum(axis=0))
    lowest, highest = float(levels[levels > 0].min()), float(levels.max())
    subjects = len(tried)
    low = high = np.nan
    if subjects >= FEWEST_PATIENTS:
        drawn = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=rounds)
        halves = _Grid(levels).halves(drawn @ hit, drawn @ tried)
        halves = np.where(halves > highest, np.inf, np.where(halves < lowest, 0, halves))
        low, high = (float(_order(halves, at)) for at in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    state = _state(curve, lowest, highest)
    contrast = curve.half if state == "reached" else np.nan
    return HalfFound(state, contrast, low, high, curve, int(tried.sum()), subjects)


def fit_psychometric(levels: Numbers, hit: Numbers, tried: Numbers) -> Psychometric:
    """Maximum likelihood of binomial counts.

    Args:
        levels: `(L,)` contrasts, at least one above 0; contrast 0 informs the guess rate.
        hit, tried: `(L,)`.
    """
    start = _Grid(levels).best(hit, tried)

    def loss(free: Numbers) -> float:
        rate = np.clip(_psychometric(free).rate(levels), TINY, 1 - TINY)
        return -float(hit @ np.log(rate) + (tried - hit) @ np.log1p(-rate))

    free = np.array([start.guess, start.lapse, np.log(start.midpoint), np.log(start.slope)])
    above = levels[levels > 0]
    bounds = [
        (0, 0.95),
        (0, max(LAPSES)),
        (np.log(above.min()) - np.log(4), np.log(above.max()) + np.log(4)),
        (np.log(SHALLOWEST), np.log(STEEPEST)),
    ]
    from scipy import optimize  # a tenth of a second to import, which every command would take

    result = optimize.minimize(loss, free, bounds=bounds, method="L-BFGS-B")
    return _psychometric(result.x if result.fun <= loss(free) else free)


def _psychometric(free: Numbers) -> Psychometric:
    return Psychometric(float(free[0]), float(free[1]), float(np.exp(free[2])), float(np.exp(free[3])))


class _Grid:
    """Every combination of a few parameters, and the rates that it predicts at the levels."""

    def __init__(self, levels: Numbers) -> None:
        above = np.log(levels[levels > 0])
        midpoints = np.linspace(above.min() - np.log(4), above.max() + np.log(4), 49)
        slopes = np.geomspace(SHALLOWEST, STEEPEST, 6)
        parts = np.meshgrid(GUESSES, LAPSES, midpoints, slopes, indexing="ij")
        self.guess, self.lapse, self.midpoint, self.slope = (part.ravel() for part in parts)
        with np.errstate(divide="ignore"):
            place = self.slope * (np.log(levels)[:, None] - self.midpoint)  # (L, G)
        rates = np.clip(self.guess + (1 - self.guess - self.lapse) * special.expit(place), TINY, 1 - TINY)
        self.log_hit, self.log_miss = np.log(rates), np.log1p(-rates)

    def _most_likely(self, hit: Numbers, tried: Numbers) -> NDArray[np.intp]:
        """For each row of counts `(R, L)` the index of its best combination."""
        return np.argmax(hit @ self.log_hit + (tried - hit) @ self.log_miss, axis=1)

    def best(self, hit: Numbers, tried: Numbers) -> Psychometric:
        at = int(self._most_likely(hit[None], tried[None])[0])
        return Psychometric(
            float(self.guess[at]), float(self.lapse[at]), float(np.exp(self.midpoint[at])), float(self.slope[at])
        )

    def halves(self, hit: Numbers, tried: Numbers) -> Numbers:
        """Contrasts at half, `(R,)`."""
        at = self._most_likely(hit, tried)
        guess, lapse, slope = self.guess[at], self.lapse[at], self.slope[at]
        odds = np.clip(0.5 - guess, 0, None) / (0.5 - lapse)
        return np.asarray(np.exp(self.midpoint[at]) * odds ** (1 / slope))


def _state(curve: Psychometric, lowest: float, highest: float) -> State:
    if curve.guess >= 0.5:
        return "chance"
    if curve.half > highest:
        return "not reached"
    return "below" if curve.half < lowest else "reached"


def _order(values: Numbers, level: float) -> float:
    """The quantile as one of the values: infinity cannot be interpolated."""
    return float(np.quantile(values, level, method="inverted_cdf"))
