"""load_case: geometry, intensities, and every bad file by name."""

import gzip
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from datasets.case import CaseFiles, Labels
from datasets.errors import BadFile, MissingData
from datasets.grid import GRIDS, SAMPLINGS, Grid, Sampling
from datasets.loading import Cases, load_case, masks_of
from datasets.shifts import Shift

SHAPE = (20, 24, 18)
SAME = Grid(shape=SHAPE, spacing=2.0)


def save(path: Path, data: ArrayLike, affine: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.nifti1.Nifti1Image(np.asarray(data), affine).to_filename(path)


def scaling(*steps: float) -> NDArray[np.float64]:
    return np.diag([*steps, 1.0])


def write(
    folder: Path,
    image: ArrayLike,
    brain: ArrayLike,
    lesion: ArrayLike | None = None,
    affine: NDArray[np.float64] | None = None,
) -> CaseFiles:
    affine = scaling(2, 2, 2) if affine is None else affine
    files = CaseFiles(
        case_id="one",
        image=folder / "t1" / "one.nii.gz",
        brain_mask=folder / "brain_mask" / "one.nii.gz",
        lesion_mask=None if lesion is None else folder / "lesion_mask" / "one.nii.gz",
        subject_id="one",
        site="",
        split="test",
    )
    save(files.image, image, affine)
    save(files.brain_mask, np.asarray(brain, dtype=np.uint8), affine)
    if files.lesion_mask is not None:
        save(files.lesion_mask, np.asarray(lesion, dtype=np.uint8), affine)
    return files


def noise(shape: tuple[int, ...] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(10, 200, shape).astype(np.float32)


def ellipsoid(shape: tuple[int, ...] = SHAPE) -> NDArray[np.bool_]:
    offsets = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    return np.asarray(sum(offset**2 for offset in offsets) < 0.8)


def world_centre(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3])


@pytest.mark.parametrize("shape", [(20, 24, 18), (16, 30, 18), (15, 21, 19), (40, 8, 7)])
def test_equal_spacing_crops_or_pads_and_changes_no_voxel(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    image, brain = noise(shape), np.ones(shape)
    lesion = np.random.default_rng(1).random(shape) > 0.8
    affine = scaling(2, 2, 2)
    affine[:3, 3] = 5, -7, 11
    case = load_case(write(tmp_path, image, brain, lesion, affine), SAME)
    assert case.image.shape == (1, *SHAPE)
    assert case.lesion_mask is not None
    inside = np.argwhere(case.brain_mask)
    source = np.round((inside * 2 + case.affine[:3, 3] - affine[:3, 3]) / 2).astype(int)
    assert len(inside) == np.prod(np.minimum(shape, SHAPE))
    cropped = image[tuple(source.T)].astype(np.float64)
    low, high = np.percentile(cropped, (1, 99))
    assert np.allclose(case.image[0][case.brain_mask], np.clip((cropped - low) / (high - low), 0, 1), atol=1e-6)
    assert np.array_equal(case.lesion_mask[case.brain_mask], lesion[tuple(source.T)])


def test_the_box_is_centred_on_the_volume(tmp_path: Path) -> None:
    shape = (24, 30, 22)
    case = load_case(write(tmp_path, noise(shape), np.ones(shape)), SAME)
    assert case.affine[:3, 3].tolist() == [4, 6, 4]


def test_intensities_are_scaled_by_the_percentiles_of_the_brain_inside_the_box(tmp_path: Path) -> None:
    shape = (20, 24, 30)
    image, brain = noise(shape), ellipsoid(shape)
    image[:, :, :6] = 1e6  # brain that the box cuts off: must not count
    brain[5:9, 5:9, :6] = True
    image[~brain] = -1e6
    case = load_case(write(tmp_path, image, brain), SAME)
    inside = image[:, :, 6:24][brain[:, :, 6:24]].astype(np.float64)
    low, high = np.percentile(inside, (1, 99))
    assert np.allclose(case.image[0][case.brain_mask], np.clip((inside - low) / (high - low), 0, 1), atol=1e-6)
    assert not case.image[0][~case.brain_mask].any()
    assert case.image.dtype == np.float32
    assert (case.image.min(), case.image.max()) == (0, 1)


def test_percentiles_are_a_choice(tmp_path: Path) -> None:
    files = write(tmp_path, noise(), ellipsoid())
    full = load_case(files, Grid(SHAPE, 2.0, (0.0, 100.0)))
    inside = noise()[ellipsoid()]
    wanted = (inside - inside.min()) / (inside.max() - inside.min())
    assert np.allclose(full.image[0][full.brain_mask], wanted, atol=1e-6)


def test_a_linear_change_of_intensities_changes_nothing(tmp_path: Path) -> None:
    one = load_case(write(tmp_path / "a", noise(), ellipsoid()), SAME)
    other = load_case(write(tmp_path / "b", noise() * 3 + 40, ellipsoid()), SAME)
    assert np.allclose(one.image, other.image, atol=1e-5)


@pytest.mark.parametrize("steps", [(1, 1, 1), (2, 2, 2), (1, 2, 3), (0.9, 0.9, 4.5), (4, 4, 4)])
@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_resampling_keeps_a_blob_where_it_is(tmp_path: Path, steps: tuple[float, float, float], spacing: float) -> None:
    extent = np.array([160, 192, 120])
    shape = tuple((extent / steps).astype(int).tolist())
    affine = scaling(*steps)
    affine[:3, 3] = -60, 20, 3
    centre = np.array([15.0, 100.0, 70.0])
    grids = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    squared = sum(
        (axis * step + shift - middle) ** 2
        for axis, step, shift, middle in zip(grids, steps, affine[:3, 3], centre, strict=True)
    )
    image = 100 * np.exp(-np.asarray(squared) / (2 * 12.0**2)) + 10
    files = write(tmp_path, image.astype(np.float32), np.ones(shape), np.asarray(squared) < 20**2, affine)
    case = load_case(files, Grid((int(192 / spacing), int(200 / spacing), int(120 / spacing)), spacing, (0.0, 100.0)))
    assert case.spacing == pytest.approx((spacing,) * 3)
    assert case.lesion_mask is not None
    tolerance = max(*steps, spacing) / 2
    assert np.abs(world_centre(case.lesion_mask, case.affine) - centre).max() < tolerance
    weights = np.where(case.brain_mask, case.image[0], 0) ** 4
    peak = case.affine[:3, :3] @ ndimage.center_of_mass(weights) + case.affine[:3, 3]
    assert np.abs(peak - centre).max() < 0.3
    volume_ml = case.lesion_mask.sum() * case.voxel_ml
    assert volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.08)
    assert case.lesion_outside_grid_ml == 0


def test_masks_stay_yes_or_no_when_resampled(tmp_path: Path) -> None:
    shape = (40, 48, 36)
    lesion = np.zeros(shape, dtype=bool)
    lesion[10:20, 10:20, 10:20] = True
    files = write(tmp_path, noise(shape), np.ones(shape), lesion, scaling(1, 1, 1))
    case = load_case(files, SAME)
    assert case.lesion_mask is not None
    assert case.lesion_mask.sum() == 5 * 5 * 5
    assert case.lesion_mask.dtype == bool
    assert case.brain_mask.all()


def test_an_interpolated_mask_is_not_dilated(tmp_path: Path) -> None:
    lesion = np.zeros(SHAPE)
    lesion[4:8, 4:8, 4:8] = 1
    files = write(tmp_path, noise(), np.ones(SHAPE), lesion)
    assert files.lesion_mask is not None
    save(files.lesion_mask, ndimage.uniform_filter(lesion, 3).astype(np.float32), scaling(2, 2, 2))
    found = load_case(files, SAME).lesion_mask
    assert found is not None
    assert found.sum() <= lesion.sum()


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_flipped_axes_are_turned_to_ras(tmp_path: Path, axes: tuple[int, ...]) -> None:
    lesion = np.zeros(SHAPE, dtype=bool)
    lesion[3:6, 4:7, 12:14] = True
    upright = load_case(write(tmp_path / "a", noise(), ellipsoid(), lesion), SAME)
    affine = scaling(2, 2, 2)
    for axis in axes:
        affine[axis, 3] += affine[axis, axis] * (SHAPE[axis] - 1)
        affine[axis, axis] *= -1
    files = write(tmp_path / "b", np.flip(noise(), axes), np.flip(ellipsoid(), axes), np.flip(lesion, axes), affine)
    turned = load_case(files, SAME)
    assert np.array_equal(turned.image, upright.image)
    assert np.array_equal(turned.brain_mask, upright.brain_mask)
    assert turned.lesion_mask is not None
    assert np.array_equal(turned.lesion_mask, lesion)
    assert np.allclose(turned.affine, upright.affine)


def test_swapped_axes_are_turned_to_ras(tmp_path: Path) -> None:
    order = (2, 0, 1)
    upright = load_case(write(tmp_path / "a", noise(), ellipsoid()), SAME)
    affine = scaling(2, 2, 2)[:, [*order, 3]]
    files = write(tmp_path / "b", noise().transpose(order), ellipsoid().transpose(order), None, affine)
    turned = load_case(files, SAME)
    assert np.array_equal(turned.image, upright.image)
    assert np.allclose(turned.affine, upright.affine)


def test_mask_and_image_may_be_stored_in_different_orientations(tmp_path: Path) -> None:
    files = write(tmp_path, noise(), ellipsoid())
    upright = load_case(files, SAME)
    affine = scaling(-2, 2, 2)
    affine[0, 3] = 2 * (SHAPE[0] - 1)
    save(files.brain_mask, ellipsoid()[::-1].astype(np.uint8), affine)
    assert np.array_equal(load_case(files, SAME).image, upright.image)


@pytest.mark.parametrize(("step", "depth"), [(2.0, 30), (1.0, 60), (4.0, 15)])
def test_lesion_outside_the_box_is_measured_in_ml(tmp_path: Path, step: float, depth: int) -> None:
    across = (int(40 / step), int(48 / step))
    shape = (*across, depth)
    lesion = np.zeros(shape)
    lesion[2:6, 2:6, :] = 1
    files = write(tmp_path, noise(shape), np.ones(shape), lesion, scaling(step, step, step))
    case = load_case(files, SAME)
    cut_mm = depth * step - SHAPE[2] * 2
    assert case.lesion_outside_grid_ml == pytest.approx((4 * step) ** 2 * cut_mm / 1000)


def test_a_lesion_inside_the_box_loses_nothing(tmp_path: Path) -> None:
    lesion = np.zeros(SHAPE)
    lesion[5:8, 5:8, 5:8] = 1
    assert load_case(write(tmp_path, noise(), ellipsoid(), lesion), SAME).lesion_outside_grid_ml == 0


def test_ignored_voxels_keep_their_volume_and_give_way_to_lesion(tmp_path: Path) -> None:
    shape = (40, 48, 36)
    lesion, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    lesion[10:20, 11:20, 10:20] = True
    ignored[5:15, 11:19, 12:18] = ignored[28:34, 30:36, 20:26] = True
    files = write(tmp_path, noise(shape), np.ones(shape), lesion, scaling(1, 1, 1))
    files = replace(files, ignore_mask=tmp_path / "ignore_mask" / "one.nii.gz")
    assert files.ignore_mask is not None
    save(files.ignore_mask, ignored.astype(np.uint8), scaling(1, 1, 1))
    for found in (load_case(files, SAME), masks_of(files, SAME)):
        assert found.lesion_mask is not None
        assert found.ignore_mask is not None
        assert not (found.ignore_mask & found.lesion_mask).any()
        assert (found.ignore_mask | found.lesion_mask).sum() == pytest.approx((ignored | lesion).sum() / 8, rel=0.05)
    ignored[:] = False
    save(files.ignore_mask, ignored.astype(np.uint8), scaling(1, 1, 1))
    empty = load_case(files, SAME).ignore_mask
    assert empty is not None
    assert not empty.any()


def test_labels_to_be_ignored_are_those_of_a_mask_of_their_own(tmp_path: Path) -> None:
    """In one file by their label, in another as a mask, or in both."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3:9, 4:9, 5:9], labels[12:15, 4:9, 5:9], labels[3:9, 14:16, 5:9] = 4, 2, 1
    files = write(tmp_path, noise(), np.ones(SHAPE), labels)
    told = replace(files, labels=Labels(lesion=(1, 4), ignored=(2,)))
    case = load_case(told, SAME)
    assert case.lesion_mask is not None
    assert case.ignore_mask is not None
    assert np.array_equal(case.lesion_mask, np.isin(labels, (1, 4)))
    assert np.array_equal(case.ignore_mask, labels == 2)
    with pytest.raises(BadFile, match=r"got label 2 \(0.48 ml\), label 4 \(0.96 ml\), expected 0 \(background\), 1"):
        load_case(files, SAME)
    own = tmp_path / "ignore_mask" / "one.nii.gz"
    save(own, (labels == 0).astype(np.uint8), scaling(2, 2, 2))
    both = load_case(replace(told, ignore_mask=own), SAME).ignore_mask
    assert both is not None
    assert np.array_equal(both, np.isin(labels, (0, 2)))


def test_the_dose_of_a_shift_is_of_tissue_that_is_neither_lesion_nor_ignored(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3:9], labels[12:15] = 1, 2
    files = replace(write(tmp_path, noise(), np.ones(SHAPE), labels), labels=Labels((1,), (2,)))
    shift = Shift("gamma", 1.5)
    moved, still = load_case(files, SAME, shift), load_case(files, SAME)
    assert moved.shift_dose == pytest.approx(np.abs(moved.image - still.image)[0][labels == 0].mean())


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_lesions_too_small_for_the_grid_are_kept_account_of(tmp_path: Path, sampling: Sampling) -> None:
    shape = (40, 48, 36)
    lesion = np.zeros(shape, dtype=bool)
    lesion[4:12, 4:12, 4:12] = True
    lesion[21, 21, 21] = lesion[31:34, 31, 31] = True  # 1 and 3 of the 8 voxels of a grid voxel
    files = write(tmp_path, noise(shape), np.ones(shape), lesion, scaling(1, 1, 1))
    found = load_case(files, replace(SAME, sampling=sampling))
    if sampling == "average":
        assert found.lost_lesions_ml == (0.001, 0.003)
    assert found.lost_lesions_ml == masks_of(files, replace(SAME, sampling=sampling)).lost_lesions_ml
    assert found.lesion_mask is not None
    assert ndimage.label(found.lesion_mask)[1] == 3 - len(found.lost_lesions_ml)


def test_cases_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    files = write(tmp_path, noise(), ellipsoid())
    cases = Cases([files, files, files], SAME)
    assert len(cases) == 3
    assert isinstance(cases[1:], Cases)
    assert len(cases[1:]) == 2
    assert [case.case_id for case in cases] == ["one"] * 3
    files.image.unlink()
    with pytest.raises(MissingData, match="t1"):
        cases[0]


def test_the_papers_grid_is_96_96_50_at_2_mm() -> None:
    assert GRIDS["paper"] == Grid(shape=(96, 96, 50), spacing=2.0, percentiles=(1.0, 99.0))


@pytest.mark.parametrize("kind", ["image", "brain_mask", "lesion_mask"])
class TestABadFileIsNamed:
    @pytest.fixture
    def files(self, tmp_path: Path) -> CaseFiles:
        return write(tmp_path, noise(), ellipsoid(), np.ones(SHAPE))

    def refused(self, files: CaseFiles, kind: str, error: type[Exception], reason: str) -> None:
        with pytest.raises(error, match=reason) as refusal:
            load_case(files, SAME)
        assert str(getattr(files, kind)) in str(refusal.value)

    def test_when_it_is_missing(self, files: CaseFiles, kind: str) -> None:
        getattr(files, kind).unlink()
        self.refused(files, kind, MissingData, "No file")

    @pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -20, -4])
    def test_when_it_is_torn(self, files: CaseFiles, kind: str, kept: float) -> None:
        path: Path = getattr(files, kind)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
        self.refused(files, kind, BadFile, "cannot be read")

    @pytest.mark.parametrize("place", [-8, 0.6])
    def test_when_a_bit_has_turned_in_the_checksum_or_the_voxels(
        self, files: CaseFiles, kind: str, place: float
    ) -> None:
        path: Path = getattr(files, kind)
        whole = bytearray(path.read_bytes())
        whole[int(place * len(whole)) if place > 0 else int(place)] ^= 1
        path.write_bytes(whole)
        self.refused(files, kind, BadFile, "cannot be read")

    def test_when_the_volume_ends_early(self, files: CaseFiles, kind: str) -> None:
        path: Path = getattr(files, kind)
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-100]))
        self.refused(files, kind, BadFile, "cannot be read")

    def test_when_it_is_something_else(self, files: CaseFiles, kind: str) -> None:
        getattr(files, kind).write_text("not an image")
        self.refused(files, kind, BadFile, "cannot be read")

    def test_when_it_is_4d(self, files: CaseFiles, kind: str) -> None:
        save(getattr(files, kind), np.ones((*SHAPE, 2), dtype=np.float32), scaling(2, 2, 2))
        self.refused(files, kind, BadFile, "got 4-D data")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_when_it_holds_nan_or_infinity(self, files: CaseFiles, kind: str, value: float) -> None:
        data = np.ones(SHAPE, dtype=np.float32)
        data[3, 3, 3:5] = value
        save(getattr(files, kind), data, scaling(2, 2, 2))
        self.refused(files, kind, BadFile, "2 NaN or infinite voxels")

    def test_when_its_voxels_are_colours(self, files: CaseFiles, kind: str) -> None:
        colours = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        save(getattr(files, kind), colours, scaling(2, 2, 2))
        self.refused(files, kind, BadFile, "expected one real number a voxel")


@pytest.mark.parametrize("kind", ["brain_mask", "lesion_mask"])
def test_a_mask_off_the_images_grid_is_refused(tmp_path: Path, kind: str) -> None:
    files = write(tmp_path, noise(), ellipsoid(), np.ones(SHAPE))
    path: Path = getattr(files, kind)
    save(path, np.ones((20, 24, 17), dtype=np.uint8), scaling(2, 2, 2))
    with pytest.raises(BadFile, match=r"got shape \(20, 24, 17\), expected \(20, 24, 18\)") as shape:
        load_case(files, SAME)
    shifted = scaling(2, 2, 2)
    shifted[0, 3] = 1
    save(path, np.ones(SHAPE, dtype=np.uint8), shifted)
    with pytest.raises(BadFile, match="got affine") as affine:
        load_case(files, SAME)
    for refusal in (shape, affine):
        assert str(path) in str(refusal.value)
        assert str(files.image) in str(refusal.value)


def test_an_image_without_contrast_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, np.full(SHAPE, 7, dtype=np.uint8), ellipsoid())
    with pytest.raises(BadFile, match=r"one intensity \(7\)"):
        load_case(files, SAME)


def test_a_brain_mask_without_brain_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, noise(), np.zeros(SHAPE))
    with pytest.raises(BadFile, match="no brain voxel"):
        load_case(files, SAME)
