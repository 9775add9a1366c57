"""Scans and masks on the grid: at their places, flipped with the scan, masks of the volume they had."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.grid import GRIDS, Grid
from datasets.sampling import Floats, Mask, Sampler

BLOBS = [
    ((240, 240, 155), 1.0), ((182, 218, 182), 1.0), ((193, 229, 193), 1.0), ((161, 193, 160), 1.0),
    ((80, 96, 80), 2.0), ((81, 97, 79), 2.0), ((256, 256, 176), 0.9375),
]  # fmt: skip
COARSER = [((2.0, 2.0, 2.0), 4.0), ((1.0, 1.0, 1.0), 2.0), ((0.9375, 0.9375, 1.2), 2.0), ((1.0, 1.0, 3.0), 2.0)]
FINER = [((4.0, 4.0, 4.0), 2.0), ((1.0, 2.0, 5.0), 1.5)]
AXES = [(0,), (1,), (2,), (0, 1, 2)]


def sampler(shape: tuple[int, ...], spacing: float | Sequence[float], grid: Grid) -> Sampler:
    return Sampler.of(shape, np.broadcast_to(spacing, 3).tolist(), grid)


def distances(shape: Sequence[int], spacing: float | Sequence[float], centre: Sequence[float]) -> list[Floats]:
    """Squared distances in mm along each axis, to be added by broadcasting; `centre` in voxels."""
    edges = np.broadcast_to(spacing, 3)
    lengths = [((np.arange(size) - at) * edge) ** 2 for size, at, edge in zip(shape, centre, edges, strict=True)]
    return list(np.ix_(*lengths))


def ball(shape: tuple[int, ...], spacing: float | Sequence[float], centre: Sequence[float], radius: float) -> Mask:
    x, y, z = distances(shape, spacing, centre)
    return np.asarray(x + y + z <= radius**2)


def scanned(on: Sampler, scan: NDArray[np.float32]) -> NDArray[np.float32]:
    return on.scan(scan, tuple(slice(0, size) for size in scan.shape))


def centre_of(weights: NDArray[np.generic], on: Sampler) -> Floats:
    """In voxels of the scan."""
    return np.asarray(on.to_source[:3, :3] @ ndimage.center_of_mass(weights.astype(float)) + on.to_source[:3, 3])


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def spots(shape: tuple[int, ...], seed: int = 0, share: float = 0.1) -> Mask:
    """Components of all sizes."""
    field = ndimage.gaussian_filter(noise(shape, seed), 1.5)
    return np.asarray(field > np.quantile(field, 1 - share))


@pytest.mark.parametrize("preset", GRIDS)
@pytest.mark.parametrize(("shape", "spacing"), BLOBS)
def test_a_blob_and_its_mask_lie_where_they_lay(shape: tuple[int, int, int], spacing: float, preset: str) -> None:
    on = sampler(shape, spacing, GRIDS[preset])
    centre = [round((size - 1) / 2 + 4 * along / spacing) for size, along in zip(shape, (1, 2, -1), strict=True)]
    x, y, z = (np.exp(-far / 2 / 8.0**2).astype(np.float32) for far in distances(shape, spacing, centre))
    lesion = ball(shape, spacing, centre, 9.0)
    for sampled in (scanned(on, x * y * z), on.coverage(lesion)):
        assert np.abs(centre_of(sampled, on) - centre).max() * spacing < 0.05
    binary = on.components(lesion).mask
    assert np.abs(centre_of(binary, on) - centre).max() * spacing <= {2.0: 0.2, 4.0: 0.5}[on.grid.spacing]
    # Up to 48 voxels lie alike around a centre of symmetry.
    assert binary.sum() * on.grid.spacing**3 == pytest.approx(lesion.sum() * spacing**3, rel=0.07)


@pytest.mark.parametrize(("spacing", "to"), [(2.0, 4.0), (1.0, 2.0)])
def test_masks_at_random_places_keep_their_place_and_volume_on_average(spacing: float, to: float) -> None:
    rng, size, radius = np.random.default_rng(5), 24 if spacing == 2 else 34, 9.0
    on, errors, ratios = sampler((size, size + 1, size), spacing, Grid((20, 20, 20), to)), [], []
    for _ in range(200):
        lesion = ball((size, size + 1, size), spacing, rng.uniform(size / 2 - 2, size / 2 + 2, 3), radius)
        found = on.components(lesion).mask
        errors.append((centre_of(found, on) - ndimage.center_of_mass(lesion)) * spacing)
        ratios.append(found.sum() * to**3 / (lesion.sum() * spacing**3))
    assert np.abs(errors).max() < to / 4
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1
    assert np.mean(ratios) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("shape", [(31, 26, 25), (30, 27, 24)])
@pytest.mark.parametrize(("spacing", "to"), [*COARSER, *FINER])
def test_flipping_a_scan_flips_it_on_the_grid(
    shape: tuple[int, int, int], spacing: tuple[float, ...], to: float, axes: tuple[int, ...]
) -> None:
    on = sampler(shape, spacing, Grid((14, 13, 14), to))
    scan, brain, lesion = noise(shape), ball(shape, spacing, [size / 2 - 1 for size in shape], 11.0), spots(shape)
    assert np.allclose(scanned(on, np.flip(scan, axes)), np.flip(scanned(on, scan), axes), rtol=0, atol=1e-6)
    assert np.array_equal(on.mask(np.flip(brain, axes)), np.flip(on.mask(brain), axes))
    assert np.array_equal(on.components(np.flip(lesion, axes)).mask, np.flip(on.components(lesion).mask, axes))
    for axis in axes:
        part, size = on.inside[axis], shape[axis]
        assert (part.start, part.stop) == (size - part.stop, size - part.start)


def test_unlike_parity_at_equal_spacing_blends_nothing_and_says_so() -> None:
    scan = noise((31, 26, 25))
    on = sampler(scan.shape, 2.0, Grid((14, 14, 40), 2.0))
    assert on.to_source[:3, 3].tolist() == [8, 6, -8]
    expected = np.pad(scan[8:22, 6:20], ((0, 0), (0, 0), (8, 7)))
    assert np.array_equal(scanned(on, scan), expected)
    assert np.array_equal(on.components(scan > 0.7).mask, expected > 0.7)


@pytest.mark.parametrize("shape", [(26, 26, 28), (25, 27, 28), (15, 14, 41)])
def test_the_average_and_the_coverage_are_integrals_over_the_voxel(shape: tuple[int, int, int]) -> None:
    on = sampler(
        shape, 2.0, Grid((8, 9, 8), 5.0)
    )  # of whole sub-voxels of 0.5 mm: 4 a voxel of the scan, 10 of the grid
    fine = noise(shape).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    for axis, length in enumerate(on.grid.shape):
        beyond = (length * 10 - fine.shape[axis]) // 2
        fine = np.pad(fine, [(max(beyond, 0),) * 2 if axis == other else (0, 0) for other in range(3)])
        fine = np.take(fine, np.arange(length * 10) + max(-beyond, 0), axis)
    expected = fine.reshape(8, 10, 9, 10, 8, 10).mean(axis=(1, 3, 5))
    assert np.allclose(scanned(on, noise(shape)), expected, atol=1e-6)
    filled = (fine > 0.6).reshape(8, 10, 9, 10, 8, 10).mean(axis=(1, 3, 5))
    assert np.allclose(on.coverage(noise(shape) > 0.6), filled, atol=1e-4)


def test_a_finer_grid_interpolates_linearly_towards_zero_outside() -> None:
    scan = noise((9, 10, 8))
    on = sampler(scan.shape, (3.0, 4.0, 5.0), Grid((20, 20, 20), 2.0))
    places = [axis.start + axis.step * np.arange(axis.length) for axis in on.axes]
    expected = ndimage.map_coordinates(scan, np.meshgrid(*places, indexing="ij"), order=1, mode="grid-constant")
    assert np.allclose(scanned(on, scan), expected, atol=1e-6)


@pytest.mark.parametrize("to", [0.9, 1.7, 4.1])
def test_a_component_keeps_its_volume_where_no_two_voxels_are_covered_alike(to: float) -> None:
    mask = spots((34, 33, 30))
    on = sampler(mask.shape, (1.0, 1.01, 1.3), Grid((17, 18, 16), to))
    found, voxel = on.components(mask), np.prod([axis.step for axis in on.axes])
    assert len(found.components) > 3
    for one in found.components:
        assert abs(one.voxels - one.volume / voxel) <= 0.5 + 1e-4
    covered = on.coverage(mask).sum() * voxel
    assert sum(one.volume for one in found.components) == pytest.approx(covered, rel=1e-3)
    assert found.outside == pytest.approx(mask.sum() - covered, abs=1e-3 * covered)


def test_of_voxels_covered_alike_all_or_none_are_set_whichever_is_nearer() -> None:
    on = sampler((16, 16, 16), 1.0, Grid((8, 8, 8), 2.0))

    def voxels(*spans: tuple[int, int]) -> int:
        mask = np.zeros((16, 16, 16), dtype=bool)
        mask[tuple(slice(*span) for span in spans)] = True
        return on.components(mask).components[0].voxels

    assert voxels((4, 6), (4, 6), (4, 6)) == 1
    assert voxels((4, 5), (4, 6), (4, 6)) == 1  # half of a voxel
    assert voxels((4, 5), (4, 5), (4, 6)) == 0  # a quarter
    assert voxels((4, 6), (4, 6), (5, 7)) == 2  # halves of two: none and both are as near
    assert voxels((4, 6), (5, 7), (5, 7)) == 0  # quarters of four
    assert voxels((4, 6), (5, 7), (5, 8)) == 2  # halves of two and quarters of two
    assert voxels((3, 7), (3, 7), (3, 7)) == 7  # a whole one, halves of six, and less


def test_of_voxels_covered_alike_the_one_with_more_of_the_mask_around_it_comes_first() -> None:
    on = sampler((16, 16, 16), 1.0, Grid((8, 8, 8), 2.0))
    mask = np.zeros((16, 16, 16), dtype=bool)
    mask[5:7, 4:6, 4:6] = True  # halves of two
    mask[4, 4, 3] = True  # beside the first of them
    assert np.argwhere(on.components(mask).mask).tolist() == [[2, 2, 2]]


def test_a_component_too_small_for_the_grid_is_kept_account_of() -> None:
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[3, 3, 3] = mask[9:11, 9, 9] = True  # an eighth and a quarter of a grid voxel
    mask[4:10, 13:17, 2:9] = True
    mask[0, 18, 18] = True  # outside the box
    found = sampler(mask.shape, 2.0, Grid((9, 9, 9), 4.0)).components(mask)
    assert [(one.volume, one.voxels > 0) for one in found.components if not one.voxels] == [(1, False), (2, False)]
    assert found.outside == 1


@pytest.mark.parametrize(("spacing", "to"), [*COARSER, *FINER])
def test_splines_and_nearest_labels_are_scipys(spacing: tuple[float, ...], to: float) -> None:
    shape, grid = (22, 21, 20), Grid((12, 11, 10), to, sampling="spline")
    on, scan, mask = sampler(shape, spacing, grid), noise((22, 21, 20)), spots((22, 21, 20))
    places = np.meshgrid(*(axis.start + axis.step * np.arange(axis.length) for axis in on.axes), indexing="ij")
    assert np.allclose(scanned(on, scan), ndimage.map_coordinates(scan, places, order=3), atol=1e-5)
    nearest = ndimage.map_coordinates(mask.astype(np.uint8), places, order=0)
    assert np.array_equal(on.mask(mask), nearest > 0)
    assert np.array_equal(on.components(mask).mask, nearest > 0)
    assert sum(one.voxels for one in on.components(mask).components) == nearest.sum()


def test_an_empty_mask_is_empty_on_the_grid() -> None:
    on = sampler((9, 9, 9), 1.0, Grid((4, 4, 4), 2.0))
    nothing = np.zeros((9, 9, 9), dtype=bool)
    assert not on.mask(nothing).any()
    assert (on.components(nothing).components, on.components(nothing).outside) == ((), 0)
