"""Measured coverage: how often simulated intervals of about this size held the truth, from a committed table.

`python tests/benchmark/statistics/measure_statistics.py` makes the table anew.
"""

import csv
from functools import lru_cache
from math import log
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("coverage.csv")
ASKED, ASKED_FROM = 0.93, 50
"""The coverage that is asked of a 95 % interval, and from how many patients on."""


class Measured(NamedTuple):
    """One line of the table: a setting, and the share of `runs` intervals that held the truth.

    Attributes:
        of: a method's `mean`, or the `difference` of two.
    """

    question: str
    of: str
    n: int
    seeds: int
    population: str
    coverage: float
    runs: int


def measured_coverage(question: str, of: str, n: int, seeds: int) -> float:
    """The lowest over the simulated populations, at the closest n of the table and at most as many seeds.

    NaN where the table has nothing like it.
    """
    alike = [one for one in table() if (one.question, one.of) == (question, of) and one.seeds <= max(seeds, 1)]
    if not alike or n < 1:
        return float("nan")
    seeds = max(one.seeds for one in alike)
    alike = [one for one in alike if one.seeds == seeds]
    closest = min({one.n for one in alike}, key=lambda size: (abs(log(size / n)), size))
    return min(one.coverage for one in alike if one.n == closest)


def is_short(coverage: float) -> bool:
    """Whether it has to be flagged; an unknown coverage has to be, too."""
    return not coverage >= ASKED


@lru_cache(maxsize=1)
def table() -> tuple[Measured, ...]:
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return tuple(
            Measured(
                question=line["question"],
                of=line["of"],
                n=int(line["n"]),
                seeds=int(line["seeds"]),
                population=line["population"],
                coverage=float(line["coverage"]),
                runs=int(line["runs"]),
            )
            for line in csv.DictReader(stream)
        )
