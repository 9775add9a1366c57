"""Searches over cases in files against the same over one array, whatever the size of a band."""

from itertools import pairwise
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from benchmark.metrics import dice
from benchmark.metrics.masks import above
from benchmark.metrics.ranking import ap_of, best_dice_of, rank
from benchmark.scoring import pooled_voxels as pool
from benchmark.scoring.pooled_search import best_mean_threshold, rank_pool
from benchmark.scoring.pooled_voxels import VoxelPool, keep, quantiles

Case = tuple[NDArray[np.float32], NDArray[np.bool_], float]


@pytest.fixture(params=[1, 7, 10_000])
def band(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "BAND", request.param)
    monkeypatch.setattr(pool, "SAMPLES", 3)


def cohort(seed: int) -> list[Case]:
    """Up to six cases with ties within and between them, some without lesion, some of zeros alone."""
    rng = np.random.default_rng(seed)
    levels, prevalence = rng.choice([1, 2, 5, 1000]), rng.choice([0, 0.1, 0.6])
    cases = []
    for _ in range(rng.integers(1, 7)):
        size = int(rng.integers(1, 40))
        scores = (rng.integers(0, levels, size) / levels).astype(np.float32)
        cases.append((scores, rng.random(size) < prevalence, float(rng.choice([0, 0, 2.5]))))
    return cases


def on_disk(cases: list[Case], folder: Path) -> VoxelPool:
    rankings = [rank(scores, lesion, missed=missed) for scores, lesion, missed in cases]
    files = [folder / f"{number}" for number in range(len(rankings))]
    for ranking, path in zip(rankings, files, strict=True):
        keep(ranking, path)
    return VoxelPool(files, np.array([ranking.total for ranking in rankings]))


def joined(cases: list[Case]) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
    scores, lesion = (np.concatenate([case[part] for case in cases]) for part in (0, 1))
    return scores, lesion, sum(case[2] for case in cases)


@pytest.mark.usefixtures("band")
def test_a_pool_says_what_one_array_of_all_voxels_says(tmp_path: Path) -> None:
    for seed in range(60):
        cases = cohort(seed)
        scores, lesion, missed = joined(cases)
        ranking = rank(scores, lesion, missed=missed)
        found = rank_pool(on_disk(cases, tmp_path))
        np.testing.assert_allclose(found.average_precision, ap_of(ranking), rtol=1e-12)
        np.testing.assert_equal(found.threshold, best_dice_of(ranking)[1])


@pytest.mark.usefixtures("band")
def test_the_curve_goes_through_points_of_scikit_learns_and_never_back(tmp_path: Path) -> None:
    for seed in range(60):
        cases = cohort(seed)
        scores, lesion, missed = joined(cases)
        curve = rank_pool(on_disk(cases, tmp_path)).curve
        if not lesion.any():
            assert not curve
            continue
        precision, recall, _ = precision_recall_curve(lesion, scores)
        kept = lesion.sum() / (lesion.sum() + missed)
        points = set(zip(precision.round(9).tolist(), (kept * recall).round(9).tolist(), strict=True))
        assert {(round(point.precision, 9), round(point.recall, 9)) for point in curve} <= points
        assert curve[-1].recall == pytest.approx(kept)
        assert all(low.recall < high.recall for low, high in pairwise(curve))
        for point in curve:
            predicted = above(scores, max(point.threshold, 0)) if point.threshold >= 0 else np.ones_like(lesion)
            assert (predicted & lesion).sum() / predicted.sum() == pytest.approx(point.precision)


@pytest.mark.usefixtures("band")
def test_quantiles_of_a_pool_are_those_of_numpy(tmp_path: Path) -> None:
    shares = np.array([0, 1e-6, 0.01, 0.3, 0.5, 0.777, 1])
    for seed in range(60):
        cases = cohort(seed)
        wanted = np.quantile(joined(cases)[0].astype(np.float64), 1 - shares)
        np.testing.assert_allclose(quantiles(on_disk(cases, tmp_path), shares), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("band")
def test_leaving_cases_out_is_ranking_the_others(tmp_path: Path) -> None:
    for seed in range(40):
        cases = cohort(seed)
        out = np.arange(len(cases)) % 2 == 0
        others = [case for case, left in zip(cases, out, strict=True) if not left]
        (threshold,) = rank_pool(on_disk(cases, tmp_path), [out]).others
        wanted = best_dice_of(rank(*joined(others)[:2], missed=joined(others)[2]))[1] if others else np.nan
        np.testing.assert_equal(threshold, wanted)


@pytest.mark.usefixtures("band")
def test_brute_force_over_all_thresholds_finds_no_better_mean_dice_and_no_higher_one(tmp_path: Path) -> None:
    for seed in range(60):
        cases = cohort(seed)
        with_lesion = [case for case in cases if case[1].any() or case[2]]
        threshold = best_mean_threshold(on_disk(cases, tmp_path))
        if not with_lesion:
            assert isnan(threshold)
            continue

        def mean(level: float, cases: list[Case] = with_lesion) -> float:
            return float(
                np.mean([dice(above(scores, level), lesion, missed=missed) for scores, lesion, missed in cases])
            )

        every = np.unique(np.concatenate([case[0] for case in cases]))
        means = {level: mean(level) for level in [0.0, *every.tolist()]}
        assert mean(threshold) == pytest.approx(max(means.values()), abs=1e-12)
        alarmed = [level for level in means if level > threshold and (every > level).any()]
        assert not any(means[level] > mean(threshold) - 1e-13 for level in alarmed)


def test_a_band_holds_no_more_than_it_may_but_for_equal_scores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "BAND", 1000)
    rng = np.random.default_rng(0)
    cases = [(rng.random(2000, dtype=np.float32), rng.random(2000) < 0.1, 0.0) for _ in range(5)]
    sizes = [band.values.size for band in on_disk(cases, tmp_path).bands()]
    assert sum(sizes) == 10_000
    assert len(sizes) >= 9
    assert max(sizes) < 1500
