"""Claims of a cohort with two endpoints: both for "better", one alone corrected for the pairs of both."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from comparisons import panels_of, patients
from error_rates import CHOICE, TWO, better
from numpy.typing import NDArray
from simulated_studies import POPULATIONS

from benchmark.statistics.pairwise.multiple_testing import holm
from benchmark.statistics.pairwise.paired_difference import Comparison, compare_endpoints, rank_sets
from benchmark.statistics.pairwise.permutation import sign_flips
from benchmark.statistics.panel import QUESTIONS, Question

FIRST, SECOND = (replace(CHOICE, protocol=protocol) for protocol in TWO.protocols)
BASE = patients(54, 3)
NOISE = np.random.default_rng(1).normal(0, 0.03, (2, 54, 1))
Table = Mapping[str, NDArray[np.float64]]


def both(
    first: Table, second: Table, question: Question = "this trained model"
) -> tuple[list[Comparison], list[Comparison]]:
    found = compare_endpoints({FIRST: panels_of(first), SECOND: panels_of(second)}, question, TWO)
    return found[FIRST], found[SECOND]


def shifted(*shifts: float) -> list[Table]:
    """One table an endpoint, in which `new` is better than `old` by the shift."""
    return [{"new": BASE + shift + noise, "old": BASE} for shift, noise in zip(shifts, NOISE, strict=True)]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("shifts", "states", "better"),
    [
        ((0.1, 0.1), ("better", "better"), ("new", "new")),
        ((-0.1, -0.1), ("better", "better"), ("old", "old")),
        ((0.1, 0.0), ("better under one endpoint", "not separable"), ("new", "")),
        ((0.0, 0.1), ("not separable", "better under one endpoint"), ("", "new")),
        ((0.1, -0.1), ("better under one endpoint", "better under one endpoint"), ("new", "old")),
        ((0.0, 0.0), ("not separable", "not separable"), ("", "")),
    ],
)
def test_better_takes_both_endpoints_and_the_same_sign(
    question: Question, shifts: tuple[float, float], states: tuple[str, str], better: tuple[str, str]
) -> None:
    found = [own[0] for own in both(*shifted(*shifts), question)]
    assert tuple(one.state for one in found) == states
    assert tuple(one.better for one in found) == better
    assert [(one.endpoint, one.endpoints) for one in found] == [("first", 2), ("second", 2)]


def tables(seed: int = 2) -> tuple[Table, Table]:
    rng = np.random.default_rng(seed)
    made = [
        {f"m{index}": BASE[:, :1] + index * 0.012 + rng.normal(0, 0.04, (54, 1)) for index in range(3)}
        for _ in range(2)
    ]
    return made[0], made[1]


def test_one_endpoint_alone_is_corrected_over_the_pairs_of_both_under_common_sign_flips() -> None:
    first, second = tables()
    found = [*both(first, second)[0], *both(first, second)[1]]
    columns = [
        (own[one.a] - own[one.b])[:, 0] for own, part in ((first, found[:3]), (second, found[3:])) for one in part
    ]
    whole = sign_flips(np.stack(columns, axis=1))
    assert [one.p_alone for one in found] == pytest.approx(whole.adjusted)
    assert [one.p_adjusted for one in found[:3]] == pytest.approx(sign_flips(np.stack(columns[:3], axis=1)).adjusted)
    assert all(one.p_alone >= one.p_adjusted * 0.9 for one in found)


def test_of_a_training_procedure_the_correction_is_holms_over_pairs_times_two() -> None:
    noisy = [{name: np.repeat(own, 3, axis=1) + np.random.default_rng(7).normal(0, 0.01, (54, 3))
              for name, own in table.items()} for table in tables()]  # fmt: skip
    parts = both(noisy[0], noisy[1], "this training procedure")
    found = [*parts[0], *parts[1]]
    assert [one.p_alone for one in found] == pytest.approx(holm(np.array([one.p for one in found])))
    for own in parts:
        assert [one.p_adjusted for one in own] == pytest.approx(holm(np.array([one.p for one in own])))


def test_a_method_without_a_number_under_one_endpoint_is_claimed_under_the_other_alone() -> None:
    first, second = shifted(0.1, 0.1)
    found = both(first, {"new": second["new"], "third": BASE})
    assert found[0][0].state == "better under one endpoint"
    assert found[1][0].state == "better under one endpoint"


def test_rank_sets_of_two_endpoints_hold_at_once() -> None:
    for own in both(*tables(5)):
        level = 0.05 / 2
        expected = {name: [1, 3] for name in ("m0", "m1", "m2")}
        for one in own:
            if one.p_adjusted <= level:
                worse = one.b if one.ahead == one.a else one.a
                expected[worse][0] += 1
                expected[one.ahead][1] -= 1
        assert rank_sets(list(expected), own) == {name: tuple(ends) for name, ends in expected.items()}


def test_a_p_value_between_the_two_levels_separates_no_ranks() -> None:
    (one,), _ = both(*shifted(0.1, 0.1))
    between = replace(one, p_adjusted=0.03)
    assert rank_sets(["new", "old"], [between]) == {"new": (1, 2), "old": (1, 2)}
    assert rank_sets(["new", "old"], [replace(between, endpoints=1)]) == {"new": (1, 1), "old": (2, 2)}


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_methods_equal_under_an_endpoint_are_called_better_in_five_percent_of_studies_at_most(first: float) -> None:
    both_said, alone = better(POPULATIONS[1], n=20, runs=60, first=first, methods=3)
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert both_said.rate <= bound
    assert alone.rate <= bound
