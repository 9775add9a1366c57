"""Registration finds the transform that moved a head."""

import numpy as np
import pytest
from skulls import draw_head, moved, turn

from datasets.errors import BadValue
from datasets.io.nifti import Matrix, Volume
from datasets.preparation.registration import register, set_threads

MOST_MM = 2.0  # half a voxel of the phantom


def worst_mm(found: Matrix, truth: Matrix, fixed: Volume) -> float:
    """The farthest that any voxel of the brain is from where it belongs."""
    voxels = np.vstack([np.array(np.nonzero(fixed.data)), np.ones(np.count_nonzero(fixed.data))])
    places = fixed.affine @ voxels
    return float(np.linalg.norm((found @ places - truth @ places)[:3], axis=0).max())


@pytest.mark.parametrize(
    "truth",
    [
        turn((12, -6, 15), (1.08, 0.95, 1.04), (25, -30, 12)),
        turn((-15, 4, -10), (0.92, 1.06, 0.97), (-100, 140, 60)),
    ],
    ids=["near", "far"],
)
def test_an_affine_registration_recovers_how_a_head_was_turned_scaled_and_moved(truth: Matrix) -> None:
    set_threads(1)
    fixed = draw_head().stripped
    found = register(fixed, moved(fixed, truth), kind="affine")
    assert worst_mm(found, truth, fixed) < MOST_MM


def test_where_another_brain_lands_hardly_depends_on_how_its_head_lies() -> None:
    set_threads(1)
    fixed, other = draw_head().stripped, draw_head(1).stripped
    truth = turn((15, -12, 20), (1, 1, 1), (12, -8, 5))
    straight = register(fixed, other, kind="affine")
    turned = register(fixed, moved(other, truth), kind="affine")
    assert worst_mm(turned, truth @ straight, fixed) < 1.0


def test_a_rigid_registration_recovers_a_turn_between_heads_with_skull_of_inverse_contrast() -> None:
    set_threads(1)
    truth = turn((4, 3, -5), (1, 1, 1), (5, -4, 3))
    fixed = draw_head().head
    other = moved(Volume(np.where(fixed.data > 0, 260 - fixed.data, 0).astype(np.float32), fixed.affine), truth)
    found = register(fixed, other, kind="rigid", initial=np.eye(4))
    assert worst_mm(found, truth, draw_head().stripped) < MOST_MM
    assert np.allclose(found[:3, :3].T @ found[:3, :3], np.eye(3), atol=1e-6)


def test_images_that_do_not_overlap_are_refused() -> None:
    fixed = draw_head().stripped
    with pytest.raises(BadValue, match="do not overlap"):
        register(fixed, moved(fixed, turn((0, 0, 0), (1, 1, 1), (900, 0, 0))), kind="rigid", initial=np.eye(4))
