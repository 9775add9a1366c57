"""Populations of Dice-like values on which intervals and tests are tried: bounded, skewed, many zeros, correlated.

A value is max(0, (sigmoid(x) - floor) / (1 - floor)) of a latent x = centre + patient + seed + rest, so that hard
patients are hard for every method and every seed, a training seed moves all patients together, and small lesions
score 0. Methods share the patients; training seeds are always drawn anew.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Standard deviations are of the latent value.

    Attributes:
        interaction: of a patient with a method, the same for all seeds of it.
        rest: of a patient with a training seed.
        floor: what sigmoid(x) has to exceed for a Dice above 0.
    """

    name: str
    centre: float
    patient: float
    seed: float
    rest: float
    floor: float
    interaction: float = 0.0

    def score(self, latent: Values) -> Values:
        return np.maximum(0, (1 / (1 + np.exp(-latent)) - self.floor) / (1 - self.floor))

    def mean_at(self, centre: Values | float, sd: float) -> Values:
        """Expected score of latent values around `centre`, exact to about 1e-5."""
        from scipy.special import ndtri

        points = ndtri((np.arange(4000) + 0.5) / 4000) * sd
        return np.asarray(self.score(np.asarray(centre)[..., None] + points).mean(axis=-1))

    def recipe_mean(self, shift: float = 0.0) -> float:
        """The truth of *this training procedure*: over all patients and all seeds."""
        return float(self.mean_at(self.centre + shift, float(np.sqrt(self._within**2 + self.seed**2))))

    def weights_mean(self, seed_effects: Values, shift: float = 0.0) -> Values:
        """The truth of *this trained model*: over all patients, given each fit's seed effect."""
        return self.mean_at(self.centre + shift + seed_effects, self._within)

    @property
    def _within(self) -> float:
        return float(np.sqrt(self.patient**2 + self.interaction**2 + self.rest**2))


@dataclass(frozen=True)
class Drawn:
    """Simulated studies.

    Attributes:
        values: `(runs, methods, n, s)`.
        latent: the same before it became a score.
        seed_effects: `(runs, methods, s)`, latent.
    """

    values: Values
    latent: Values
    seed_effects: Values


POPULATIONS = (
    Population("sparse", centre=-2.0, patient=1.4, seed=0.05, rest=0.35, floor=0.12),
    Population("skewed", centre=-1.0, patient=1.2, seed=0.05, rest=0.35, floor=0.10),
    Population("high", centre=1.0, patient=1.2, seed=0.05, rest=0.35, floor=0.05),
)
"""A third of the patients at 0 as in small lesions; means about 0.27 and 0.65 with the longer tail right and left."""


def draw(
    population: Population,
    rng: np.random.Generator,
    *,
    runs: int,
    n: int,
    s: int,
    methods: int = 2,
    shift: float = 0.0,
) -> Drawn:
    """Studies of methods that differ by nothing but their seeds; the first is moved by `shift`, on the latent scale."""
    shape = (runs, methods, n, s)
    patients = rng.normal(0, population.patient, (runs, 1, n, 1))
    tastes = rng.normal(0, population.interaction, (runs, methods, n, 1))
    seeds = rng.normal(0, population.seed, (runs, methods, s))
    latent = population.centre + patients + tastes + seeds[:, :, None, :] + rng.normal(0, population.rest, shape)
    latent[:, 0] += shift
    return Drawn(population.score(latent), latent, seeds)
