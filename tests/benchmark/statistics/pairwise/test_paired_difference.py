"""The three states and their numbers, on data that have one answer."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import CHOICE, ENDPOINT, compared, panel, patients
from scipy import stats
from statsmodels.stats.power import TTestPower

from benchmark.statistics.intervals.bootstrap_t import Resamples, seeded_resamples
from benchmark.statistics.pairing import pair
from benchmark.statistics.pairwise import power
from benchmark.statistics.pairwise.paired_difference import compare_all, rank_sets
from benchmark.statistics.panel import QUESTIONS, Question

BASE = patients(54, 3)
MANY = patients(400, 3)
ONE_SEED = patients(54, 1)
NOISE = np.random.default_rng(9).normal(0, 0.02, (54, 1))
MUCH_NOISE = np.random.default_rng(9).normal(0, 0.02, (400, 1))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("shift", "spread", "state", "better"),
    [
        (0.1, 1.0, "better", "new"),
        (-0.1, 1.0, "better", "old"),
        (0.0, 0.2, "equivalent", ""),
        (0.004, 0.05, "equivalent", ""),
        (0.0, 8.0, "not separable", ""),
    ],
)
def test_each_state_is_said_where_it_holds(
    question: Question, shift: float, spread: float, state: str, better: str
) -> None:
    centred = MUCH_NOISE - MUCH_NOISE.mean()
    (found,) = compared({"new": MANY + shift + spread * centred, "old": MANY}, question)
    assert found.state == state
    assert found.better == better
    assert found.effect.mean == pytest.approx(shift, abs=1e-9)


def test_resamples_and_the_detectable_shift_are_found_once_for_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, tried = list[int](), list[int]()
    of, tail = Resamples.of, stats.nct.sf
    monkeypatch.setattr(Resamples, "of", lambda n, *more: drawn.append(n) or of(n, *more))
    monkeypatch.setattr(stats.nct, "sf", lambda *given: tried.append(1) or tail(*given))
    counts = []
    for methods in (2, 12):
        seeded_resamples.cache_clear()
        power._in_standard_errors.cache_clear()
        compared({f"m{place}": patients(31, 3, seed=place) for place in range(methods)})
        counts.append((len(drawn), len(tried)))
        drawn.clear()
        tried.clear()
    (few, tried_by_few), (many, tried_by_many) = counts
    assert few == many == 1
    assert 0 < tried_by_many < 2 * tried_by_few


def test_nothing_is_equivalent_whose_interval_leaves_the_margin() -> None:
    found = compared({"new": MANY + 0.0192 + MUCH_NOISE - MUCH_NOISE.mean(), "old": MANY})[0]
    inside = compared({"new": MANY + 0.0192 + MUCH_NOISE - MUCH_NOISE.mean(), "old": MANY}, alpha=0.6)[0]
    assert found.effect.high > 0.02
    assert found.state == "better"
    assert inside.effect.high < 0.02


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_methods_that_never_differ_are_not_separable_and_nothing_is_detectable(value: float) -> None:
    for n in (6, 400):
        for question in QUESTIONS:
            same = np.full((n, 3), value)
            (found,) = compared({"new": same + 1e-17, "old": same}, question)
            assert found.state == "not separable"
            assert np.isnan(found.detectable)
            assert found.effect.why_none == "too few different values"
            assert rank_sets(["new", "old"], [found]) == {"new": (1, 2), "old": (1, 2)}


def test_what_rounding_leaves_of_a_difference_is_none() -> None:
    tenths = np.full((8, 1), 0.1)
    (found,) = compared({"new": tenths * 3, "old": np.full((8, 1), 0.3)})
    assert (found.effect.mean, found.p) == (0, 1)


def test_a_lower_value_is_better_where_the_metric_says_so() -> None:
    choice = replace(CHOICE, metric="alarm_fraction")
    (found,) = compared({"new": BASE + 0.1 + NOISE, "old": BASE}, choice=choice)
    assert found.better == "old"
    assert found.margin is None
    assert np.isnan(found.p_equivalent)


def test_fewer_than_six_patients_are_not_testable() -> None:
    (found,) = compared({"new": BASE[:5] + 0.1, "old": BASE[:5] + NOISE[:5]})
    assert found.state == "not testable"
    assert np.isnan([found.p, found.effect.low, found.detectable]).all()
    assert "5 patients" in found.effect.why_none


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_recipe_takes_three_seeds_and_weights_take_one(seeds: int) -> None:
    values = {"new": (BASE + 0.1 + NOISE)[:, :seeds], "old": BASE[:, :seeds]}
    (recipe,), (weights,) = compared(values, "this training procedure"), compared(values)
    assert recipe.state == "not testable"
    assert f"{seeds} training seed" in recipe.effect.why_none
    assert weights.state == "better"


def test_only_what_both_methods_have_is_compared_and_the_rest_is_counted() -> None:
    a, b = BASE.copy(), BASE + NOISE
    a[3, 1] = np.nan
    found = pair(panel("a", a, (0, 1, 2)), panel("b", b, (1, 2, 5)))
    assert found.seeds == (1, 2)
    assert found.left_out_seeds == (0, 5)
    assert (found.n, found.left_out) == (53, 1)
    assert found.differences == pytest.approx(np.delete(a[:, 1:] - b[:, :2], 3, axis=0))


def test_a_seed_that_failed_wholly_leaves_the_patients_in() -> None:
    a = BASE.copy()
    a[:, 1] = np.nan
    found = pair(panel("a", a), panel("b", BASE))
    assert found.seeds == (0, 2)
    assert found.left_out_seeds == (1,)
    assert found.left_out == 0


def test_the_false_claim_is_the_one_sided_paired_t_test_corrected_for_the_winner() -> None:
    values = {"new": BASE + 0.003 + NOISE, "old": BASE, "third": BASE - 0.3}
    found = compared(values)[0]
    one_sided = stats.ttest_rel(values["new"].mean(axis=1), BASE.mean(axis=1), alternative="greater").pvalue
    assert found.p_false_claim == pytest.approx(min(one_sided, 1 - one_sided))
    assert found.p_false_claim_winner == pytest.approx(min(1, 3 * found.p_false_claim))


def test_all_pairs_are_corrected_together() -> None:
    values = {name: BASE + shift + patients(54, 3, seed=8) / 8 for name, shift in (("a", 0.0), ("b", 0.02))}
    values |= {"c": BASE, "d": BASE + NOISE}
    for question in QUESTIONS:
        found = compared(values, question)
        assert len(found) == 6
        assert all(one.comparisons == 6 and one.p_adjusted >= one.p for one in found)


def test_the_same_pair_the_other_way_round_has_its_signs_turned() -> None:
    (found,) = compared({"new": BASE + 0.1 + NOISE, "old": BASE})
    turned = found.seen_from("old")
    assert (turned.a, turned.b, turned.better) == ("old", "new", "new")
    assert turned.effect.mean == -found.effect.mean
    assert (turned.effect.low, turned.effect.high) == (-found.effect.high, -found.effect.low)
    assert found.seen_from("new") is found


def test_panels_of_different_patients_are_no_pair() -> None:
    with pytest.raises(ValueError, match="expected the same ones"):
        compare_all({"a": panel("a", BASE), "b": panel("b", BASE[:50])}, CHOICE, "this trained model", ENDPOINT)


def test_what_pairs_separate_has_ranks_apart_and_the_rest_shares_them() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (3, 54, 1))
    noise -= noise.mean(axis=1, keepdims=True)
    values = {"low": ONE_SEED - 0.2 + noise[0], "middle": ONE_SEED + noise[1], "equal": ONE_SEED + noise[2]}
    assert rank_sets(list(values), compared(values)) == {"low": (3, 3), "middle": (1, 2), "equal": (1, 2)}


def test_too_few_patients_leave_every_rank_open() -> None:
    values = {"a": ONE_SEED[:4], "b": ONE_SEED[:4] + 0.5}
    assert rank_sets(["a", "b"], compared(values)) == {"a": (1, 2), "b": (1, 2)}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_pair_among_more_methods_shows_only_larger_effects(question: Question) -> None:
    values = {name: BASE + patients(54, 3, seed=seed) / 8 for seed, name in enumerate("abcd", 1)}
    alone, *_ = compared({name: values[name] for name in "ab"}, question)
    among, *others = compared(values, question)
    assert (among.a, among.b, 1 + len(others)) == ("a", "b", 6)
    assert among.detectable > 1.1 * alone.detectable


def test_what_is_detectable_is_what_a_t_test_finds_at_bonferronis_level() -> None:
    values = {name: BASE + patients(54, 3, seed=seed) / 8 for seed, name in enumerate("abcd", 1)}
    for one in compared(values):
        effect = TTestPower().solve_power(effect_size=None, nobs=54, alpha=0.05 / 6, power=0.8)
        assert one.detectable == pytest.approx(one.sd * effect, rel=1e-3)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("shift", [0.006, -0.006])
def test_equivalence_is_the_same_whichever_method_comes_first(question: Question, shift: float) -> None:
    values = {"new": MANY + shift + np.array([-0.01, 0.0, 0.01]), "old": MANY}
    (one,), (turned,) = compared(values, question), compared(dict(reversed(values.items())), question)
    assert (one.a, turned.a) == ("new", "old")
    assert one.p_equivalent == pytest.approx(turned.p_equivalent, rel=1e-6)


@pytest.mark.parametrize("shift", [0.006, -0.006])
def test_training_seeds_that_differ_more_than_the_margin_leave_equivalence_of_procedures_open(shift: float) -> None:
    values = {"new": MANY + shift + np.array([-0.02, 0.0, 0.02]), "old": MANY}
    (weights,), (procedures,) = compared(values), compared(values, "this training procedure")
    assert weights.p_equivalent < 0.05 < procedures.p_equivalent


def test_ranks_are_of_the_corrected_p() -> None:
    (found,) = compared({"new": BASE + 0.1 + NOISE, "old": BASE})
    corrected_away = replace(found, p=1e-6, p_adjusted=0.5)
    assert rank_sets(["new", "old"], [corrected_away]) == {"new": (1, 2), "old": (1, 2)}
    assert rank_sets(["new", "old"], [replace(found, p=0.5, p_adjusted=1e-6)]) == {"new": (1, 1), "old": (2, 2)}
