"""Shifts through load_case: identity, truth, seeds, doses; and each does what its name says."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from cohorts import SPACING, TINY, write_nifti
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import CaseFiles
from datasets.grid import Grid
from datasets.loading import Cases, load_case
from datasets.shifts import Shift
from datasets.shifts.acquisition import bias, blur, noise, thickness
from datasets.shifts.application import CaseShift
from datasets.shifts.registry import COMMON_DOSES, SHIFTS
from datasets.shifts.representation import PERCENTILES, match_histogram, mean_landmarks, percentiles_of
from datasets.shifts.shift import ShiftKind, View

LANDMARKS = tuple(float(one) for one in np.linspace(0, 1, len(PERCENTILES)) ** 1.7)
KINDS = [SHIFTS[name] for name in SHIFTS.built_in]
TORCHIO = ("motion", "ghosting")
SHAPE = (24, 26, 30)


def patient(data: Path, name: str = "patients-val-0") -> CaseFiles:
    folder = data / "patients"
    paths = [folder / kind / f"{name}.nii.gz" for kind in ("t1", "brain_mask", "lesion_mask")]
    return CaseFiles(name, *paths, name, "here", "val")


def at(kind: ShiftKind, level: float) -> Shift:
    return Shift(kind.name, level, LANDMARKS if kind.to_cohort else ())


def view(image: NDArray[np.float32], *, seed: int = 0, spacing: float = 1.0) -> View:
    return View(image, np.ones(image.shape, dtype=bool), (spacing,) * 3, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nothing_is_changed_bit_for_bit_at_the_identity(data: Path, kind: ShiftKind) -> None:
    plain, case = load_case(patient(data), TINY), load_case(patient(data), TINY, at(kind, kind.identity))
    assert case.image.tobytes() == plain.image.tobytes()
    assert case.shift_dose == 0
    assert load_case(patient(data), TINY, Shift()).image.tobytes() == plain.image.tobytes()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_truth_stays_and_the_image_stays_in_its_bounds(data: Path, kind: ShiftKind) -> None:
    plain = load_case(patient(data), TINY)
    case = load_case(patient(data), TINY, at(kind, kind.levels[-1]))
    assert plain.lesion_mask is not None
    assert case.lesion_mask is not None
    assert np.array_equal(case.lesion_mask, plain.lesion_mask)
    assert np.array_equal(case.brain_mask, plain.brain_mask)
    assert np.array_equal(case.affine, plain.affine)
    assert case.image.dtype == np.float32
    assert case.image.min() >= 0
    assert case.image.max() <= 1
    assert not case.image[0][~case.brain_mask].any()
    healthy = plain.brain_mask & ~plain.lesion_mask
    expected = np.abs(case.image[0] - plain.image[0])[healthy].mean()
    assert case.shift_dose == pytest.approx(expected, rel=1e-5)
    assert case.shift_dose > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_dose_grows_with_the_level(data: Path, kind: ShiftKind) -> None:
    levels = sorted(kind.levels)
    doses = [load_case(patient(data), TINY, at(kind, level)).shift_dose for level in levels]
    if kind.name == "gamma":
        assert doses[0] > doses[1] > doses[2]
        assert doses[3] < doses[4]
    else:
        assert doses == sorted(doses)


@pytest.mark.parametrize("name", ["noise", "bias", "thickness", "ghosting"])
def test_a_case_is_shifted_alike_whatever_was_shifted_before_and_otherwise_than_another(data: Path, name: str) -> None:
    shift = Shift(name, SHIFTS[name].levels[3])
    first, second = patient(data), patient(data, "patients-val-1")
    alone = load_case(first, TINY, shift).image
    together = [case.image for case in Cases([second, first], TINY, shift)]
    assert np.array_equal(together[1], alone)
    draws = {CaseShift(shift, one.case_id)._rng().random() for one in (first, second)}
    assert len(draws) == 2
    assert CaseShift(shift, "a")._rng().random() == CaseShift(Shift(name, 9.0), "a")._rng().random()


def test_an_acquisition_shift_comes_before_scaling_and_a_representation_shift_after(data: Path) -> None:
    raw = nibabel.load(patient(data).image).get_fdata()
    brain = load_case(patient(data), TINY).brain_mask
    seen = CaseShift(Shift("noise", 0.1), "patients-val-0").acquired(raw, brain, np.full(3, 4.0))
    low, high = np.percentile(seen[brain], (1, 99))
    expected = np.clip((seen - low) / (high - low), 0, 1) * brain
    assert np.allclose(load_case(patient(data), TINY, Shift("noise", 0.1)).image[0], expected, atol=1e-5)


def test_gamma_is_exactly_a_power(data: Path) -> None:
    plain = load_case(patient(data), TINY).image
    assert np.array_equal(load_case(patient(data), TINY, Shift("gamma", 0.5)).image, plain**0.5)


def test_inversion_turns_dark_and_bright_round_inside_the_brain(data: Path) -> None:
    plain, turned = load_case(patient(data), TINY), load_case(patient(data), TINY, Shift("inversion", 1.0))
    brain = plain.brain_mask
    assert np.allclose(turned.image[0][brain], 1 - plain.image[0][brain], atol=1e-6)


def test_noise_has_the_deviation_that_its_level_says() -> None:
    flat = np.full(SHAPE, 200.0, dtype=np.float32)
    assert (noise(view(flat), 0.05) - flat).std() == pytest.approx(10, rel=0.03)
    # Where there is no signal the magnitude of the noise is Rayleigh distributed, mean s.d. * sqrt(pi / 2).
    step = flat.copy()
    step[:12] = 0
    assert noise(view(step), 0.05)[:12].mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.03)


def test_a_bias_field_is_smooth_and_e_to_the_level_where_it_is_farthest() -> None:
    flat = np.full(SHAPE, 50.0, dtype=np.float32)
    gain = np.log(bias(view(flat), 0.4) / 50)
    assert np.abs(gain).max() == pytest.approx(0.4, rel=1e-4)
    assert gain.mean() == pytest.approx(0, abs=1e-4)
    assert np.abs(np.diff(gain, n=4, axis=0)).max() < 1e-5  # cubic: the fourth difference is nothing


def test_blur_weakens_a_wave_as_a_gaussian_of_that_width_does() -> None:
    x = np.arange(60)
    wave = np.broadcast_to(np.cos(2 * np.pi * x / 12)[:, None, None], (60, 9, 9)).astype(np.float32)
    deviation = 5 / 2.3548 / 2  # voxels of 2 mm
    blurred = blur(view(wave, spacing=2.0), 5.0)
    expected = np.exp(-2 * (np.pi * deviation / 12) ** 2)
    assert np.abs(blurred[20:40]).max() == pytest.approx(expected, rel=0.03)


def test_blur_and_thickness_darken_no_edge_of_the_brain() -> None:
    brain = ndimage.distance_transform_edt(np.pad(np.ones((12, 12, 12)), 4)) > 0
    image = np.where(brain, 100, 0).astype(np.float32)
    for change in (blur, thickness):
        changed = change(View(image, brain, (2.0, 2.0, 2.0), np.random.default_rng(0)), 6.0)
        assert np.allclose(changed[brain], 100, atol=1e-3)


def test_thick_slices_resolve_nothing_finer_through_the_plane_and_all_in_it() -> None:
    z = np.arange(64)
    fine, coarse = np.cos(2 * np.pi * z / 4), np.cos(2 * np.pi * z / 32)

    def kept(wave: NDArray[np.float64], axis: int) -> float:
        image = np.moveaxis(np.broadcast_to(wave[:, None, None], (64, 64, 64)), 0, axis).astype(np.float32)
        return float(np.abs(np.take(thickness(view(image), 4.0), range(16, 48), axis)).max())

    assert kept(fine, 2) < 0.02
    assert kept(coarse, 2) > 0.9
    assert kept(fine, 0) == pytest.approx(1, abs=1e-4)


def test_ghosting_leaves_copies_of_the_object_beside_it_and_motion_blurs_its_edges() -> None:
    image = np.zeros((32, 32, 16), dtype=np.float32)
    image[12:20, 12:20, 4:12] = 100
    for name in TORCHIO:
        kind = SHIFTS[name]
        changed = kind.change(view(image), kind.levels[-1])
        assert changed.shape == image.shape
        outside = changed[image == 0]
        assert outside.max() > 5
        assert np.abs(kind.change(view(image), kind.levels[0]) - image).mean() < np.abs(changed - image).mean()


def test_a_window_that_is_dropped_scales_by_the_least_and_the_most(data: Path) -> None:
    raw = nibabel.load(patient(data).image).get_fdata()
    brain = load_case(patient(data), TINY).brain_mask
    low, high = raw[brain].min(), raw[brain].max()
    case = load_case(patient(data), TINY, Shift("window", 1.0))
    assert np.allclose(case.image[0][brain], ((raw - low) / (high - low))[brain], atol=1e-5)


def test_a_transfer_brings_the_percentiles_to_those_of_the_other_cohort(data: Path) -> None:
    case = load_case(patient(data), TINY, Shift("transfer", 1.0, LANDMARKS))
    assert np.allclose(percentiles_of(case.image[0], case.brain_mask), LANDMARKS, atol=0.01)
    plain = load_case(patient(data), TINY)
    order = np.argsort(plain.image[0][plain.brain_mask], kind="stable")
    assert (np.diff(case.image[0][plain.brain_mask][order]) >= -1e-6).all()


def test_matching_undoes_a_monotone_shift(data: Path) -> None:
    plain = load_case(patient(data), TINY, Shift(matched=LANDMARKS))
    for shift in (Shift("gamma", 0.5, matched=LANDMARKS), Shift("inversion", 0.2, matched=LANDMARKS)):
        case = load_case(patient(data), TINY, shift)
        assert np.abs(case.image - plain.image).mean() < 0.01
        assert case.shift_dose == load_case(patient(data), TINY, Shift(shift.name, shift.severity)).shift_dose


def test_an_image_of_one_intensity_can_be_matched() -> None:
    flat = np.full((4, 4, 4), 0.5, dtype=np.float32)
    matched = match_histogram(flat, np.ones(flat.shape, dtype=bool), LANDMARKS)
    assert np.isfinite(matched).all()
    assert np.array_equal(match_histogram(flat, np.zeros(flat.shape, dtype=bool), LANDMARKS), np.zeros_like(flat))


def test_landmarks_are_the_mean_over_cases_that_have_a_brain() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    whole, none = np.ones(ramp.shape, dtype=bool), np.zeros(ramp.shape, dtype=bool)
    each = [percentiles_of(ramp, whole), percentiles_of(ramp / 2, whole), percentiles_of(ramp, none)]
    assert mean_landmarks(each) == pytest.approx([0.75 * one / 100 for one in PERCENTILES], abs=1e-5)


def test_a_change_that_breaks_the_image_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(seen: View, level: float) -> NDArray[np.float32]:
        return np.full_like(seen.image, np.nan)

    broken = ShiftKind("gamma", "", "representation", "", (1, 2, 3, 4, 5), "", nothing)
    monkeypatch.setitem(SHIFTS.built_in, "gamma", broken)
    with pytest.raises(ValueError, match="case 'patients-val-0': got shape"):
        load_case(patient(data), TINY, Shift("gamma", 2.0))


def test_a_scan_that_is_written_anew_is_read_anew(own_data: Path) -> None:
    files, shift = patient(own_data), Shift("gamma", 2.0)
    before = load_case(files, TINY, shift).image
    raw = nibabel.load(files.image).get_fdata()
    write_nifti(files.image, (raw**2).astype(np.float32))
    assert not np.array_equal(load_case(files, TINY, shift).image, before)


def test_a_finer_scan_is_shifted_at_its_own_resolution(data: Path) -> None:
    coarse = Grid(shape=(8, 8, 6), spacing=2 * SPACING)
    seen: list[tuple[int, ...]] = []
    original = SHIFTS["noise"].change

    def spy(given: View, level: float) -> NDArray[np.float32]:
        seen.append(given.image.shape)
        return original(given, level)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHIFTS.built_in, "noise", ShiftKind("noise", "", "acquisition", "", (1,) * 5, "", spy))
        assert load_case(patient(data), coarse, Shift("noise", 0.1)).image.shape == (1, 8, 8, 6)
    assert seen == [(16, 16, 12)]


@pytest.mark.parametrize("name", sorted(kind.name for kind in KINDS if kind.doses))
def test_shipped_doses_rise_towards_the_common_ones(name: str) -> None:
    kind = SHIFTS[name]
    assert len(kind.levels) == len(kind.doses) == 5
    if kind.calibrated:
        reached = [abs(dose - wanted) <= 0.15 * wanted for dose, wanted in zip(kind.doses, COMMON_DOSES, strict=True)]
        assert sum(reached) >= 4, kind.doses
        assert list(kind.doses) == sorted(kind.doses)
