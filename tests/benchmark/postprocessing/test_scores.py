"""Scores equal their formulas voxel by voxel, enter keys and names, and keep the rate that a threshold aims at."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask
from benchmark.postprocessing.pipelines import PIPELINES, pipeline_named, pipeline_on, scored_by, unscored
from benchmark.postprocessing.scores import (
    SCORES,
    SSIM_WIDTHS,
    HealthyResiduals,
    ReconstructedScan,
    Score,
    healthy_residuals,
    is_residual,
)
from benchmark.study.protocols import PROTOCOLS
from datasets.errors import UnknownName

SHAPE = (9, 8, 5)
Volume = NDArray[np.float32]


def brain_of(shape: Sequence[int] = SHAPE) -> Mask:
    """A box without its outermost voxels in plane."""
    brain = np.zeros(shape, dtype=bool)
    brain[1:-1, 1:-1] = True
    return brain


def scan(seed: int, *, healthy: HealthyResiduals | None = None) -> ReconstructedScan:
    rng, brain = np.random.default_rng(seed), brain_of()
    image = np.where(brain, rng.random(SHAPE), 0).astype(np.float32)
    return ReconstructedScan(image, rng.random(SHAPE).astype(np.float32), brain, healthy)


def similarity_at(x: Volume, y: Volume, at: tuple[int, int, int], width: float) -> float:
    """Wang et al. 2004, equation 13, at one voxel: sums over its 11 x 11 neighbours, mirrored at the box's edge."""
    i, j, k = at
    offsets = range(-5, 6)
    weights = {(a, b): np.exp(-(a * a + b * b) / (2 * width**2)) for a in offsets for b in offsets}
    whole = sum(weights.values())

    def mirrored(place: int, size: int) -> int:
        place = place % (2 * size)
        return place if place < size else 2 * size - 1 - place

    values = [
        (weight / whole, float(x[at_once]), float(y[at_once]))
        for (a, b), weight in weights.items()
        for at_once in [(mirrored(i + a, x.shape[0]), mirrored(j + b, x.shape[1]), k)]
    ]
    mean_x, mean_y = (sum(one[0] * one[place] for one in values) for place in (1, 2))
    variance_x = sum(weight * (one - mean_x) ** 2 for weight, one, _ in values)
    variance_y = sum(weight * (one - mean_y) ** 2 for weight, _, one in values)
    covariance = sum(weight * (one - mean_x) * (other - mean_y) for weight, one, other in values)
    return float(
        (2 * mean_x * mean_y + 0.01**2)
        * (2 * covariance + 0.03**2)
        / ((mean_x**2 + mean_y**2 + 0.01**2) * (variance_x + variance_y + 0.03**2))
    )


def by_hand(name: str, one: ReconstructedScan, at: tuple[int, int, int]) -> float:
    x, r = float(one.image[at]), float(one.reconstruction[at])
    if name == "ssim":
        similar = [similarity_at(one.image, one.reconstruction, at, width) for width in SSIM_WIDTHS]
        weights = [np.exp(-value) for value in similar]
        return 1 - sum(weight * value for weight, value in zip(weights, similar, strict=True)) / sum(weights)
    if name == "standardised":
        assert one.healthy is not None
        return abs(x - r - float(one.healthy.mean[at])) / float(one.healthy.spread[at])
    return {"l1": abs(x - r), "darker": max(0.0, r - x), "brighter": max(0.0, x - r)}[name]


@pytest.mark.parametrize("name", list(SCORES.built_in))
def test_a_score_equals_its_formula_at_every_voxel_and_is_0_outside_the_brain(name: str) -> None:
    one = scan(0, healthy=healthy_residuals(scan(seed) for seed in range(1, 6)))
    made = SCORES[name](one)
    assert made.dtype == np.float32
    assert not made[~one.brain_mask].any()
    for at in map(tuple, np.argwhere(one.brain_mask)[:: 7 if name == "ssim" else 1].tolist()):
        assert made[at] == pytest.approx(by_hand(name, one, at), rel=1e-5, abs=1e-6)


def test_what_is_darker_and_what_is_brighter_make_up_the_absolute_residual() -> None:
    one = scan(3)
    other = replace(one, image=np.where(one.brain_mask, one.reconstruction, 0), reconstruction=one.image)
    np.testing.assert_array_equal(SCORES["darker"](one) + SCORES["brighter"](one), SCORES["l1"](one))
    np.testing.assert_array_equal(SCORES["darker"](one), SCORES["brighter"](other))


def test_a_kept_residual_says_how_much_and_the_reconstruction_in_which_direction() -> None:
    one = scan(3)
    kept = replace(one, magnitude=2 * np.abs(one.residual))
    for name in ("l1", "darker", "brighter"):
        np.testing.assert_allclose(SCORES[name](kept), 2 * SCORES[name](one), rtol=1e-6)


def test_a_flawless_reconstruction_has_no_dissimilarity() -> None:
    one = scan(4)
    assert not SCORES["ssim"](replace(one, reconstruction=one.image)).any()


def test_healthy_residuals_are_moments_over_the_brains_and_one_typical_residual() -> None:
    scans = [replace(scan(seed), brain_mask=np.random.default_rng(seed).random(SHAPE) < 0.6) for seed in range(4)]
    known = [(one.residual.astype(np.float64), one.brain_mask) for one in scans]
    everywhere = np.concatenate([residual[brain] for residual, brain in known])
    found = healthy_residuals(scans)
    for at in np.ndindex(SHAPE):
        own = [residual[at] for residual, brain in known if brain[at]]
        mean = (sum(own) + everywhere.mean()) / (len(own) + 1)
        square = (sum(value**2 for value in own) + (everywhere**2).mean()) / (len(own) + 1)
        assert found.mean[at] == pytest.approx(mean, abs=1e-6)
        assert found.spread[at] == pytest.approx(np.sqrt(square - mean**2), abs=1e-6)
    with pytest.raises(ValueError, match="no healthy scan with a brain"):
        healthy_residuals([])


def test_a_map_is_a_residual_as_far_as_both_are_kept_and_a_smoothed_one_is_not() -> None:
    one = scan(5)
    kept = SCORES["l1"](one)
    rounded = replace(one, reconstruction=one.reconstruction * np.float32(1 + 2e-5))
    assert is_residual(kept * np.float32(1 + 4e-4), rounded)
    assert not is_residual((kept + np.roll(kept, 1, axis=0)) / 2, one)
    assert not is_residual(kept[None], one)


def test_a_score_comes_before_a_pipeline_in_its_name_and_key_and_changes_no_other_key() -> None:
    light = PIPELINES["light"]
    scored = pipeline_named("darker:light")
    assert (scored.name, scored.steps, scored.score) == ("darker:light", light.steps, SCORES["darker"])
    assert [step[0] for step in light.in_key[1:]] == ["median", "components"]  # type: ignore[index]
    assert scored.in_key == [light.in_key[0], SCORES["darker"].in_key, *light.in_key[1:]]
    raised = replace(SCORES["darker"], revision=2)
    assert light.of(raised).in_key != scored.in_key
    assert light.of(raised).revision == scored.revision + 1 == light.revision + 1
    assert pipeline_named("darker:light-no-median").score == SCORES["darker"]
    assert pipeline_named("darker:light-no-median").steps == light.steps[1:]
    assert pipeline_on("darker:light", 4).name == "darker:none"
    assert scored_by(["l1", "ssim"], ["light", "none", "l1:none"]) == ["l1:light", "l1:none", "ssim:light", "ssim:none"]
    assert (unscored("ssim:light"), unscored("light")) == ("light", "light")
    with pytest.raises(UnknownName, match=r"No score 'darkr'\. Did you mean 'darker'"):
        pipeline_named("darkr:light")


def test_a_score_that_gives_no_anomaly_map_is_refused() -> None:
    one = scan(6)
    for function in (lambda scan: scan.residual, lambda scan: scan.image[0], lambda scan: scan.image / 0):
        with pytest.raises(ValueError, match="Score 'odd': got"), np.errstate(all="ignore"):
            Score("odd", "odd", "odd", function)(one)


def residual_fields(count: int, rng: np.random.Generator) -> list[ReconstructedScan]:
    """Exchangeable scans: spread and mean differ from voxel to voxel, the overall level from scan to scan."""
    shape = (12, 12, 8)
    brain = brain_of(shape)
    spread, mean = 0.02 + 0.1 * rng.random(shape), 0.05 * rng.normal(size=shape)
    scans = []
    for _ in range(count):
        image = np.where(brain, rng.random(shape), 0).astype(np.float32)
        residual = mean + rng.uniform(0.85, 1.15) * spread * rng.standard_t(5, size=shape)
        scans.append(ReconstructedScan(image, (image - residual).astype(np.float32), brain))
    return scans


@pytest.mark.parametrize("name", list(SCORES.built_in))
def test_exchangeable_scans_realise_the_rate_that_healthy_fpr_1_aims_at(name: str) -> None:
    """Over 200 re-drawn splits into training, validation and test scans; the first two are never the same."""
    rng, score, protocol = np.random.default_rng(16), SCORES[name], PROTOCOLS["healthy-fpr-1"]
    assert protocol.of_scan is not None
    scans, rates = residual_fields(60, rng), []
    fixed = None if score.needs_healthy else [score(one)[one.brain_mask] for one in scans]
    for _ in range(200):
        train, val, test = np.split(rng.permutation(len(scans)), [20, 40])
        healthy = healthy_residuals(scans[index] for index in train) if score.needs_healthy else None

        def scores_of(index: int, healthy: HealthyResiduals | None = healthy) -> Volume:
            one = scans[index]
            return score(replace(one, healthy=healthy))[one.brain_mask] if fixed is None else fixed[index]

        threshold = np.mean([protocol.of_scan(found, found) for found in map(scores_of, val)])
        rates.append(np.mean([(scores_of(index) > threshold).mean() for index in test]))
    assert 0.008 < np.mean(rates) < 0.012
