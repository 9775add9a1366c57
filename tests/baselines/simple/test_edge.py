"""Edge measures how deep a voxel lies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.simple.edge import Edge
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case


def depths(brain_mask: Tensor, sign: str = "deep") -> Tensor:
    """`(X, Y, Z)` of one brain mask."""
    config = Edge.Config(sign=sign)  # type: ignore[arg-type]
    masks = brain_mask[None, None]
    return Edge(config).anomaly_map(masks.float(), masks, seeds=torch.zeros(1, dtype=torch.int64))[0, 0]


@pytest.mark.parametrize("sign", ["deep", "rim"])
def test_edge_fulfils_the_contract(sign: str) -> None:
    check_detector(lambda: Edge(Edge.Config(sign=sign)))  # type: ignore[arg-type]


def test_depth_is_the_distance_to_the_nearest_voxel_outside() -> None:
    brain_mask = simulated_case(0, (12, 11, 10)).brain_mask
    outside = np.argwhere(~brain_mask)
    got = depths(torch.from_numpy(brain_mask)).numpy()
    for voxel in np.argwhere(brain_mask)[::37]:
        assert got[tuple(voxel)] == pytest.approx(np.linalg.norm(outside - voxel, axis=1).min(), rel=1e-6)
    assert (got[~brain_mask] == 0).all()


def test_the_two_signs_order_a_brain_the_other_way_round() -> None:
    brain_mask = torch.from_numpy(simulated_case(0, (12, 11, 10)).brain_mask)
    deep, rim = depths(brain_mask)[brain_mask], depths(brain_mask, "rim")[brain_mask]
    assert torch.allclose(deep * rim, torch.ones_like(deep))
    assert float(rim.max()) == 1


def test_the_border_of_the_box_is_no_edge() -> None:
    brain_mask = torch.ones(5, 5, 5, dtype=torch.bool)
    assert (depths(brain_mask) == 0).all()
    brain_mask[0] = False
    assert depths(brain_mask)[4].unique().tolist() == [4]


def test_nothing_is_learnt(tmp_path: Path) -> None:
    detector = Edge(Edge.Config())
    detector.fit([], [], seed=0, workdir=tmp_path)
    assert not detector.state_dict()
