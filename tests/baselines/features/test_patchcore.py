"""PatchCore: the coreset, the nearest patch, its re-weighting, places, and the contract."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_volumes import ENCODER, SHAPE, image

from baselines.features.patchcore import PatchCore, coreset, nearest_of_bank, reweighted
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case

TINY = PatchCore.Config(**ENCODER, bank=20, candidates=60, neighbours=3)  # type: ignore[arg-type]


def radius(vectors: torch.Tensor, chosen: torch.Tensor) -> float:
    return float(torch.cdist(vectors, vectors[chosen]).min(dim=1).values.max())


def test_each_patch_of_the_coreset_is_the_farthest_from_those_before() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(50, 3)
    chosen = coreset(vectors, 8)
    assert len(set(chosen.tolist())) == 8
    for count in range(1, 8):
        distances = torch.cdist(vectors, vectors[chosen[:count]]).min(dim=1).values
        assert int(distances.argmax()) == int(chosen[count])


def test_the_coreset_covers_at_most_twice_as_badly_as_the_best_one() -> None:
    torch.manual_seed(1)
    for _ in range(5):
        vectors = torch.randn(9, 2)
        best = min(radius(vectors, torch.tensor(one)) for one in combinations(range(9), 3))
        assert radius(vectors, coreset(vectors, 3)) <= 2 * best + 1e-6


def test_of_few_candidates_all_are_taken() -> None:
    assert sorted(coreset(torch.randn(4, 2), 10).tolist()) == [0, 1, 2, 3]


def test_the_nearest_of_the_bank_are_those_of_brute_force() -> None:
    torch.manual_seed(2)
    vectors, bank = torch.randn(1100, 7), torch.randn(30, 7)
    expected = torch.cdist(vectors, bank).argsort(dim=1)[:, :4]
    assert torch.equal(nearest_of_bank(vectors, bank, 4), expected)
    assert nearest_of_bank(vectors[:0], bank, 4).shape == (0, 4)


def test_the_weight_is_that_of_the_paper() -> None:
    distances = torch.tensor([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0]])
    exponentials = distances.exp()
    expected = (1 - exponentials[:, 0] / exponentials.sum(dim=1)) * distances[:, 0]
    torch.testing.assert_close(reweighted(distances), expected)
    assert torch.equal(reweighted(distances[:, :1]), distances[:, 0])


def test_a_rare_healthy_patch_raises_the_score_of_what_is_near_to_it_alone() -> None:
    """The paper's reason: where the nearest patch is itself far from the others, the score grows."""
    common, rare = reweighted(torch.tensor([[2.0, 2.1, 2.1], [2.0, 6.0, 7.0]]))
    assert rare > common


def fitted(workdir: Path, **change: Any) -> PatchCore:
    patchcore = PatchCore(replace(TINY, **change))
    cases = [simulated_case(index, SHAPE) for index in range(8)]
    patchcore.fit(cases[:6], cases[6:], seed=0, workdir=workdir)
    return patchcore


def test_a_healthy_patch_of_the_bank_scores_zero_and_a_changed_one_more(tmp_path: Path) -> None:
    patchcore = fitted(tmp_path, bank=10_000, candidates=10_000, smoothing=0.0)
    one, brain_mask = image(2)
    scores, known = patchcore.score(patchcore.features(one), patchcore.brain_cells(brain_mask))
    assert scores[known].max() < 1e-3
    changed = one.clone()
    changed[0, 8:12, 8:12, 3] = 1.0
    scores, _ = patchcore.score(patchcore.features(changed), known)
    assert scores[2, 2, 3] == scores.max() > 0.1


@pytest.mark.parametrize(("locality", "moves"), [(0.0, False), (0.5, True)])
def test_a_healthy_patch_at_another_place_is_anomalous_only_where_places_matter(
    tmp_path: Path, locality: float, moves: bool
) -> None:
    patchcore = fitted(tmp_path, bank=10_000, candidates=10_000, locality=locality, neighbours=1)
    one, brain_mask = image(2)
    known, features = patchcore.brain_cells(brain_mask), patchcore.features(one)
    scores, _ = patchcore.score(features.flip(1), known.flip(0))
    assert (scores.max() > 0.5) == moves


def test_places_are_the_centres_of_cells_in_mm(tmp_path: Path) -> None:
    patchcore = fitted(tmp_path)
    cells = torch.zeros(4, 4, 7, dtype=torch.bool)
    cells[0, 1, 3] = True
    torch.testing.assert_close(patchcore._places(cells), torch.tensor([[4.0, 12.0, 7.0]]))  # voxels of 2 mm
    deep = PatchCore(replace(TINY, encoder="deepbet", pixels=32))
    deep.spacing = torch.tensor([2.0])
    cells = torch.zeros(8, 8, 4, dtype=torch.bool)
    cells[0, 1, 3] = True
    torch.testing.assert_close(deep._places(cells), torch.tensor([[2.0, 6.0, 14.0]]))


@pytest.mark.parametrize("count", [1, 4, 7])
def test_the_bank_and_its_candidates_are_bounded_whatever_the_cohort(count: int) -> None:
    patchcore = PatchCore(replace(TINY, candidates=20, bank=5)).eval()
    cases = [simulated_case(index, SHAPE) for index in range(count)]
    with torch.no_grad():
        patchcore.learn(cases, torch.Generator().manual_seed(0))
        features, places = patchcore._candidates(cases, torch.Generator().manual_seed(0))
    assert len(features) == len(places) == 20
    assert patchcore.patches.shape == (5, patchcore.channels + 3)
    assert patchcore.nearest.shape == (5, 3)


def test_a_case_without_brain_has_a_map_of_zero(tmp_path: Path) -> None:
    one, brain_mask = image()
    patchcore = fitted(tmp_path)
    found = patchcore.anomaly_map(one[None], torch.zeros_like(brain_mask)[None], seeds=torch.zeros(1))
    assert not found.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bank": 61}, "bank 61 and candidates 60, expected 1 or more in ascending order"),
        ({"neighbours": 0}, "neighbours 0, bank 20"),
        ({"locality": -1.0}, "locality -1, expected 0 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_patchcore_fulfils_the_contract() -> None:
    check_detector(lambda: PatchCore(TINY))
