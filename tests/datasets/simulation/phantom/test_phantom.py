"""The phantom: layout, determinism, and that its truth is true. All at 4 mm, a few cases."""

import csv
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

import datasets.__main__ as program
from datasets.cohorts.catalog import dataset
from datasets.errors import BadValue
from datasets.grid import GRIDS
from datasets.loading import load_case
from datasets.simulation.phantom import PHANTOM, cohort, write_phantom
from datasets.simulation.phantom.anatomy import RELAXATION
from datasets.simulation.phantom.lattice import SamplingLattice, smooth_field
from datasets.simulation.phantom.plain import draw_volumes
from datasets.simulation.phantom.signals import PROTOCOLS, signal
from datasets.simulation.phantom.subject import PhantomSubject, SubjectNumber, draw_subject

SPACING = 4.0
KINDS = ("t1", "t2", "flair", "brain_mask", "lesion_mask")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_phantom(folder, healthy=3, lesion=4, spacing=SPACING, seed=0)
    return folder


@pytest.fixture(scope="module")
def subjects() -> list[PhantomSubject]:
    return [draw_subject(SubjectNumber(False, index), spacing=SPACING, seed=0) for index in range(4)]


def voxels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj, dtype=np.uint8)


def volumes(folder: Path, case_id: str) -> dict[str, NDArray[np.uint8]]:
    paths = {kind: folder / "phantom" / kind / f"{case_id}.nii.gz" for kind in KINDS}
    return {kind: voxels(path) for kind, path in paths.items() if path.is_file()}


def equal(one: Mapping[str, NDArray[np.uint8]], other: Mapping[str, NDArray[np.uint8]]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[kind], other[kind]) for kind in one)


@pytest.mark.parametrize("sequence", ["t1", "t2", "flair"])
def test_every_sequence_is_readable_through_the_catalog_and_the_grid(root: Path, sequence: str) -> None:
    files = dataset("phantom").files(root, sequence)
    assert [case.case_id for case in files] == [f"healthy-{i:03d}" for i in range(3)] + [
        f"lesion-{i:03d}" for i in range(4)
    ]
    assert [case.split for case in files] == ["train", "val", "test", "val", "test", "val", "test"]
    for case_files in files:
        case = load_case(case_files, GRIDS["quick"])
        assert case.image.shape == (1, 48, 48, 25)
        assert 800 < case.brain_mask.sum() * case.voxel_ml < 1700
        assert (case.lesion_mask is None) == case_files.case_id.startswith("healthy")


def test_healthy_cases_have_no_lesion_file(root: Path) -> None:
    there = {path.name.removesuffix(".nii.gz") for path in (root / "phantom" / "lesion_mask").iterdir()}
    assert there == {f"lesion-{i:03d}" for i in range(4)}


def test_files_are_small_integers_in_ras_with_nothing_outside_the_brain(root: Path) -> None:
    for case_id in ("healthy-000", "lesion-001"):
        for kind in ("t1", "t2", "flair", "brain_mask"):
            path = root / "phantom" / kind / f"{case_id}.nii.gz"
            image = nibabel.nifti1.Nifti1Image.from_filename(path)
            assert image.shape == (40, 48, 40)
            assert image.get_data_dtype() == np.uint8
            assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
            assert image.header.get_zooms() == (SPACING,) * 3
        case = volumes(root, case_id)
        brain = case["brain_mask"] > 0
        assert set(np.unique(case["brain_mask"])) == {0, 1}
        for sequence in PROTOCOLS:
            assert np.array_equal(case[sequence] > 0, brain)


def test_the_whole_brain_is_inside_the_volume() -> None:
    for index in range(6):
        mask = draw_subject(SubjectNumber(True, index), spacing=SPACING, seed=0).anatomy.brain_mask
        inner = mask[1:-1, 1:-1, 1:-1]
        assert inner.sum() == mask.sum()


def test_one_seed_gives_the_same_bytes_and_another_seed_another_head(root: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "again", healthy=1, lesion=1, spacing=SPACING, seed=0)
    write_phantom(tmp_path / "other", healthy=1, lesion=1, spacing=SPACING, seed=1)
    for case_id in ("healthy-000", "lesion-000"):
        for kind in volumes(root, case_id):
            name = Path("phantom") / kind / f"{case_id}.nii.gz"
            assert (root / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        for kind, volume in volumes(tmp_path / "other", case_id).items():
            assert not np.array_equal(volume, volumes(root, case_id)[kind])


def test_a_case_does_not_depend_on_how_many_there_are(root: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, healthy=0, lesion=2, spacing=SPACING, seed=0)
    assert equal(volumes(tmp_path, "lesion-001"), volumes(root, "lesion-001"))
    table = (tmp_path / "phantom" / "lesions.csv").read_text().splitlines()
    assert table == (root / "phantom" / "lesions.csv").read_text().splitlines()[: len(table)]


def test_the_lesion_table_describes_the_components_of_the_masks(root: Path) -> None:
    with (root / "phantom" / "lesions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["case_id"] for row in rows} == {f"lesion-{i:03d}" for i in range(4)}
    for case_id in {row["case_id"] for row in rows}:
        image = nibabel.nifti1.Nifti1Image.from_filename(root / "phantom" / "lesion_mask" / f"{case_id}.nii.gz")
        labels, count = ndimage.label(np.asarray(image.dataobj), structure=np.ones((3, 3, 3)))
        own = [row for row in rows if row["case_id"] == case_id]
        assert len(own) == count
        for row in own:
            centre = np.array([float(row[axis]) for axis in "xyz"])
            nearest = min(
                range(1, count + 1), key=lambda label: np.linalg.norm(_centre(labels == label, image) - centre)
            )
            assert np.allclose(_centre(labels == nearest, image), centre, atol=0.06)
            assert float(row["volume_ml"]) == pytest.approx((labels == nearest).sum() * 0.064, abs=5e-4)
            assert 0.6 <= float(row["contrast"]) <= 1


def _centre(mask: NDArray[np.bool_], image: nibabel.nifti1.Nifti1Image) -> NDArray[np.float64]:
    return np.asarray(apply_affine(image.affine, np.argwhere(mask).mean(axis=0)))


def test_the_second_largest_lesion_may_be_marked_as_to_be_ignored(root: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, healthy=1, lesion=3, spacing=SPACING, seed=0, with_ignored=True)
    files, plain = PHANTOM.files(tmp_path, "t1"), {one.case_id: one for one in PHANTOM.files(root, "t1")}
    with (tmp_path / "phantom" / "lesions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for one in files:
        own = sorted((row for row in rows if row["case_id"] == one.case_id), key=lambda row: -float(row["volume_ml"]))
        assert [row["ignored"] for row in own] == ["no", "yes", "no", "no", "no"][: len(own)]
        assert (one.ignore_mask is not None) == (len(own) > 1)
        before, case = load_case(plain[one.case_id], GRIDS["quick"]), load_case(one, GRIDS["quick"])
        assert np.array_equal(before.image, case.image)
        if case.ignore_mask is not None and case.lesion_mask is not None and before.lesion_mask is not None:
            assert not (case.ignore_mask & case.lesion_mask).any()
            assert np.array_equal(case.ignore_mask | case.lesion_mask, before.lesion_mask)
    assert any(one.ignore_mask is not None for one in files)


def test_lesions_have_nearly_the_volume_that_was_drawn() -> None:
    asked, got = [], []
    for index in range(8):
        subject = draw_subject(SubjectNumber(False, index), spacing=SPACING, seed=3)
        seeds = np.random.SeedSequence(3, spawn_key=(0, index)).spawn(3)
        asked += draw_volumes(index, np.random.default_rng(seeds[1]))
        got += [lesion.volume_ml for lesion in subject.lesions.table]
    assert len(got) == len(asked)
    ratios = np.array(got) / np.array(asked)
    assert np.median(ratios) > 0.9
    assert ratios.max() < 1.1
    assert ratios.min() > 0.4  # what hangs together with the rest by nothing is left out


def test_drawn_volumes_spread_log_uniformly_from_half_to_forty_ml() -> None:
    drawn = [draw_volumes(index, np.random.default_rng(index)) for index in range(200)]
    assert {len(case) for case in drawn} == {1, 2, 3}
    assert min(map(min, drawn)) >= 0.5
    place = np.log([sum(case) / 0.5 for case in drawn]) / np.log(80)
    assert place.max() <= 1 + 1e-9
    assert np.histogram(place, bins=4, range=(0, 1))[0].min() > 40
    first = np.histogram(place[:8], bins=4, range=(0, 1))[0]
    assert first.min() >= 1


def test_lesions_lie_in_the_tissue_of_the_brain(subjects: list[PhantomSubject]) -> None:
    for subject in subjects:
        mask, anatomy = subject.lesions.lesion_mask, subject.anatomy
        assert mask.any()
        assert not (mask & ~anatomy.brain_mask).any()
        assert anatomy.csf[mask].max() < 0.5
        assert anatomy.white[mask].mean() > 0.4


def test_the_mask_is_where_the_lesion_fills_more_than_half_of_a_voxel(subjects: list[PhantomSubject]) -> None:
    for subject in subjects:
        replaced, lesion_mask = subject.lesions.layers[0].share, subject.lesions.lesion_mask
        contrasts = [lesion.contrast for lesion in subject.lesions.table]
        filled = replaced * (1 - subject.anatomy.csf)
        assert filled[lesion_mask].min() >= 0.499 * min(contrasts)
        assert filled[~lesion_mask].max() <= 0.501 * max(contrasts)
        if len(contrasts) == 1:
            assert np.array_equal(filled / contrasts[0] > 0.5, lesion_mask)


@pytest.mark.parametrize(("sequence", "sign"), [("t1", -1), ("t2", 1), ("flair", 1)])
def test_the_image_differs_from_the_head_without_lesion_just_there(
    subjects: list[PhantomSubject], sequence: str, sign: int
) -> None:
    for subject in subjects:
        with_lesions = subject.scan()[sequence].astype(int)
        difference = sign * (with_lesions - subject.without_lesions().scan()[sequence])
        mask = subject.lesions.lesion_mask
        near = ndimage.binary_dilation(mask, iterations=2)
        assert not difference[~near].any()
        assert difference.min() >= -1  # Rician noise can turn the last grey level
        assert np.mean(difference[mask] > 0) > 0.9
        assert difference[mask].mean() > 5
        assert difference[mask].mean() > 2 * difference[near & ~mask].mean()


def test_scanning_twice_gives_the_same_images(subjects: list[PhantomSubject]) -> None:
    assert equal(subjects[0].scan(), subjects[0].scan())


def test_contrast_decides_how_strong_a_lesion_is(subjects: list[PhantomSubject]) -> None:
    subject = max(subjects, key=lambda one: one.lesions.lesion_mask.sum())
    clean = subject.without_lesions().scan()["flair"].astype(int)
    full = subject.scan()["flair"].astype(int) - clean
    layer = subject.lesions.layers[0]
    layers = (replace(layer, share=layer.share * np.float32(0.5)),)
    weaker = replace(subject, lesions=replace(subject.lesions, layers=layers))
    half = weaker.scan()["flair"].astype(int) - clean
    mask = subject.lesions.lesion_mask
    assert half[mask].mean() == pytest.approx(full[mask].mean() / 2, rel=0.1)


def test_tissues_have_the_order_of_grey_levels_that_each_sequence_is_known_for() -> None:
    subject = draw_subject(SubjectNumber(True, 0), spacing=2.0, seed=0)
    images, anatomy = subject.scan(), subject.anatomy
    level = {
        (sequence, name): float(np.median(image[share > 0.95]))
        for sequence, image in images.items()
        for name, share in (("grey", anatomy.grey), ("white", anatomy.white), ("csf", anatomy.csf))
    }
    assert level["t1", "csf"] < 0.5 * level["t1", "grey"]
    assert level["t1", "grey"] < 0.85 * level["t1", "white"]
    assert level["t2", "white"] < 0.85 * level["t2", "grey"]
    assert level["t2", "grey"] < 0.7 * level["t2", "csf"]
    assert level["flair", "csf"] < 0.3 * level["flair", "white"]
    assert level["flair", "white"] < level["flair", "grey"]


def test_tissue_volumes_are_those_of_adults() -> None:
    for index in range(5):
        anatomy = draw_subject(SubjectNumber(True, index), spacing=SPACING, seed=0).anatomy
        grey, white, csf = (share.sum() * 0.064 for share in (anatomy.grey, anatomy.white, anatomy.csf))
        assert 1250 < grey + white + csf < 1850
        assert 1.1 < grey / white < 2.2
        assert 60 < csf < 450
        total = anatomy.grey + anatomy.white + anatomy.csf
        assert np.allclose(total, anatomy.brain_mask, atol=1e-5)


def test_subjects_differ_in_shape_and_in_ventricles() -> None:
    anatomies = [draw_subject(SubjectNumber(True, index), spacing=SPACING, seed=0).anatomy for index in range(5)]
    for one, other in pairwise(anatomies):
        overlap = 2 * (one.brain_mask & other.brain_mask).sum() / (one.brain_mask.sum() + other.brain_mask.sum())
        assert 0.85 < overlap < 0.99
        assert np.corrcoef(one.white.ravel(), other.white.ravel())[0, 1] < 0.95
    ventricles = [anatomy.csf[16:24, 20:32, 16:24].sum() for anatomy in anatomies]
    assert max(ventricles) > 1.2 * min(ventricles)


def test_a_head_is_the_same_at_any_spacing() -> None:
    number = SubjectNumber(True, 0)
    fine = draw_subject(number, spacing=2.0, seed=0).anatomy
    coarse = draw_subject(number, spacing=4.0, seed=0).anatomy
    blocks = fine.white.reshape(40, 2, 48, 2, 40, 2).mean(axis=(1, 3, 5))
    assert np.corrcoef(blocks.ravel(), coarse.white.ravel())[0, 1] > 0.97


def test_smooth_fields_have_unit_spread_and_do_not_depend_on_the_spacing() -> None:
    fine = smooth_field(np.random.default_rng(0), SamplingLattice(2.0), 16)
    coarse = smooth_field(np.random.default_rng(0), SamplingLattice(4.0), 16)
    assert fine.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(fine, axis=0)).max() < 0.8
    blocks = fine.reshape(40, 2, 48, 2, 40, 2).mean(axis=(1, 3, 5))
    assert np.abs(blocks - coarse).max() < 0.1


def test_signal_equation_by_hand() -> None:
    white = RELAXATION["white"]
    assert signal(white, PROTOCOLS["t2"]) == pytest.approx(0.70 * (1 - np.exp(-4000 / 832)) * np.exp(-90 / 80))
    assert signal(white, PROTOCOLS["flair"]) == pytest.approx(
        0.70 * (1 - 2 * np.exp(-2500 / 832) + np.exp(-9000 / 832)) * np.exp(-90 / 80)
    )


def test_an_existing_cohort_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "phantom").mkdir()
    (tmp_path / "phantom" / "kept").touch()
    with pytest.raises(BadValue, match="is there already"):
        write_phantom(tmp_path, healthy=1, lesion=0, spacing=SPACING)
    assert (tmp_path / "phantom" / "kept").exists()


def test_a_run_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_table(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(cohort, "write_table", no_table)
    with pytest.raises(OSError, match="disk full"):
        write_phantom(tmp_path, healthy=1, lesion=0, spacing=8.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"healthy": 0, "lesion": 0}, "expected at least one"),
        ({"lesion": -1}, "none negative"),
        ({"spacing": 0.5}, "expected 1 to 8"),
        ({"seed": -1}, "expected 0 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        write_phantom(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_the_default_splits_are_16_4_4_healthy_and_4_4_lesion_cases() -> None:
    healthy = [SubjectNumber(True, index).split for index in range(24)]
    lesion = [SubjectNumber(False, index).split for index in range(8)]
    assert [healthy.count(split) for split in ("train", "val", "test")] == [16, 4, 4]
    assert [lesion.count(split) for split in ("train", "val", "test")] == [0, 4, 4]


def test_the_licence_of_the_templates_goes_with_the_cohort(root: Path) -> None:
    assert "Louis Collins" in PHANTOM.licence
    assert PHANTOM.licence in (root / "phantom" / "LICENCE.txt").read_text()


def test_the_program_lists_cohorts_as_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "datasets", "list", "--json"],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    listed = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert done.returncode == 0
    assert listed["phantom"]["title"] == "Phantom"
    assert listed["ixi"]["sequences"] == ["t1", "t2"]


def test_the_program_writes_refuses_to_overwrite_and_is_forced_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UADBENCH_DATA", str(tmp_path))
    arguments = ["phantom", "--spacing", str(SPACING), "--healthy", "1", "--lesion", "1"]
    assert exit_code(arguments, monkeypatch) == 0
    table = (tmp_path / "phantom" / "lesions.csv").read_text()
    capsys.readouterr()
    assert exit_code(arguments, monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Error: ")
    assert told.err.count("\n") == 1
    assert "is there already" in told.err
    assert exit_code([*arguments, "--seed", "1", "--force"], monkeypatch) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["phantom"]
    assert (tmp_path / "phantom" / "lesions.csv").read_text() != table


def exit_code(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", ["python -m datasets", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        program.main()
    return exit_info.value.code
