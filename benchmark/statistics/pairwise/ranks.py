"""Rank confidence sets: which ranks the data leave to each method, instead of a rank that they do not give.

From simultaneous tests of all pairs: a method has at least as many above it as are better, and at most as many as are
not worse. All sets hold the true ranks at once with the confidence of the tests.

References:
    Mogstad, Romano, Shaikh, Wilhelm, Rev Econ Stud 91 (2024) 476-518. Al Mohamad, Goeman, van Zwet, Statistica
    Sinica 32 (2022).
"""

from collections.abc import Iterable, Sequence
from math import sqrt

from benchmark.statistics.pairwise.paired_difference import Comparison

FEWEST_COHORTS = 10
"""From which on a critical-difference diagram says anything."""


def rank_sets(methods: Sequence[str], comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Best and worst rank that each method may have, 1 being the best.

    What the tests separate counts, even where the difference lies within the margin of equivalence.

    Args:
        comparisons: all pairs of one cohort under one question.
    """
    above, below = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    for one in comparisons:
        winner = one.ahead
        if winner and one.p_adjusted <= one.alpha:
            below[winner] += 1
            above[one.b if winner == one.a else one.a] += 1
    return {method: (1 + above[method], len(methods) - below[method]) for method in methods}


def critical_difference(methods: int, cohorts: int, *, alpha: float = 0.05) -> float | None:
    """How far mean ranks over cohorts have to lie apart (Nemenyi); None below ten cohorts, where it means nothing.

    References:
        Demsar, JMLR 7 (2006) 1-30.
    """
    return nemenyi(methods, cohorts, alpha=alpha) if cohorts >= FEWEST_COHORTS else None


def nemenyi(methods: int, cohorts: int, *, alpha: float = 0.05) -> float:
    """The critical difference itself, whatever the number of cohorts."""
    from scipy.stats import studentized_range

    # 100,000 degrees of freedom stand for infinitely many.
    q = float(studentized_range.isf(alpha, methods, 1e5)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * cohorts))
