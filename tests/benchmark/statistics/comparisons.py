"""Panels and comparisons made by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.pairwise.paired_difference import Comparison, compare_all
from benchmark.statistics.panel import Choice, Panel, Question
from benchmark.statistics.primary_endpoint import Endpoint

ENDPOINT = Endpoint("9", "dice", "light", ("lesion-val",), "none", "test", 0.05, 0.8, {"dice": 0.02})
CHOICE = Choice("lgg", "dice", "light", "lesion-val")


def panel(method: str, values: NDArray[np.float64], seeds: Sequence[int] | None = None) -> Panel:
    """`values`: `(patients, seeds)`."""
    patients = tuple(f"p{index:04d}" for index in range(len(values)))
    return Panel(method, patients, tuple(seeds or range(values.shape[1])), values, values[:, :, None])


def panels_of(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Panel]:
    return {method: panel(method, one) for method, one in values.items()}


def compared(
    values: Mapping[str, NDArray[np.float64]],
    question: Question = "this trained model",
    choice: Choice = CHOICE,
    alpha: float = 0.05,
) -> list[Comparison]:
    return compare_all(panels_of(values), choice, question, replace(ENDPOINT, alpha=alpha))


def patients(n: int, s: int, *, seed: int = 0) -> NDArray[np.float64]:
    """`(n, s)` like Dice: patients differ much, seeds and the rest little."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.beta(2, 4, (n, 1)) + rng.normal(0, 0.01, (n, s)), 0, 1)
