"""Components against a flood voxel by voxel."""

import numpy as np
import pytest
from volumes import drawn, flooded

from benchmark.metrics import components as module
from benchmark.metrics.components import component_counts, components


@pytest.mark.parametrize("sparse", [0.0, 1.0])
def test_sizes_equal_those_found_by_flooding_by_sweep_and_by_graph(
    sparse: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPARSE", sparse)
    for one in drawn(500):
        found = components(one.prediction)
        assert sorted(found.sizes) == sorted(len(part) for part in flooded(one.prediction))


@pytest.mark.parametrize("sparse", [0.0, 1.0])
def test_labels_are_those_of_the_voxels_in_their_order(sparse: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARSE", sparse)
    for one in drawn(200):
        labels = components(one.prediction).labels
        of_voxel = dict(zip(map(tuple, np.argwhere(one.prediction).tolist()), labels.tolist(), strict=True))
        for part in flooded(one.prediction):
            assert len({of_voxel[voxel] for voxel in part}) == 1
        assert len(set(of_voxel.values())) == len(flooded(one.prediction))


def test_voxels_on_opposite_faces_of_the_box_do_not_touch() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 2] = mask[0, 1, 0] = mask[2, 2, 2] = True
    assert components(mask).count == 3


def test_counts_at_many_thresholds_are_those_of_flooding_at_each() -> None:
    for one in drawn(1000):
        thresholds = np.random.default_rng(one.number).permutation(np.unique([0, 0.25, 0.5, 0.9, *one.scores.flat][:9]))
        wanted = [len(flooded(one.scores > threshold)) for threshold in thresholds]
        assert component_counts(one.scores, thresholds).tolist() == wanted
