"""predict: maps of anybody's scan, in whatever orientation, on that scan's own voxels."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import matplotlib.image
import nibabel
import numpy as np
import pytest
import torch
from commandline import Program, refused
from detectors import MeanDistance
from skulls import SPACING, Head, draw_head, moved, reoriented, turn, write_template

import uadbench
from benchmark.inference.predict import load_detector
from benchmark.inference.scan import ScanSettings, output_names, predict_scan
from benchmark.inference.settings import Inference
from benchmark.methods.weights import save_weights
from benchmark.storage.fits import DataCard, FitFolder, find_fit, write_card, write_fit
from benchmark.storage.folder import FORMAT
from benchmark.study.cells import Cohort, Fit
from datasets.case import CaseFiles
from datasets.errors import BadValue, MissingData, UnknownName
from datasets.grid import Grid
from datasets.io.atomic import write_json
from datasets.io.nifti import Matrix, Volume, read_volume, write_volume
from datasets.loading import load_case
from datasets.preparation.scan import Parameters, Setup
from datasets.preparation.stripping import Stripper
from datasets.preparation.template import load_template
from reports.figures.scan_picture import shown_slices

GRID = Grid(shape=(40, 48, 40), spacing=SPACING)
UNMOVED = np.eye(4)
TURN = turn((12, -8, 10), (1.04, 0.97, 1.0), (60, -35, 20))


@pytest.fixture(scope="module")
def head() -> Head:
    return draw_head()


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    template = load_template(write_template(tmp_path_factory.mktemp("template")))
    return Setup(template, Stripper("none"), Parameters(spacing=SPACING, bias_correction=False))


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory, head: Head, setup: Setup) -> FitFolder:
    """A detector that knows this very head without its lesions, so that the map shows the lesions."""
    folder = tmp_path_factory.mktemp("run") / "fits"
    image, brain = folder.parent / "healthy.nii.gz", folder.parent / "brain.nii.gz"
    box = setup.template.box(SPACING)
    from datasets.preparation.resampling import resample

    write_volume(image, Volume(resample(head.healthy, box, order=0), box.affine), np.float32)
    write_volume(brain, Volume(resample(head.brain_mask, box, order=0), box.affine))
    detector = MeanDistance(MeanDistance.Config())
    detector.mean = torch.from_numpy(load_case(CaseFiles("h", image, brain, None, "h", "", "train"), GRID).image)
    cohort = Cohort("volunteers", "t1", "0" * 64)
    config = {"power": 1.0, "sides": ["dark", "bright"]}
    made = Fit("mean-distance", "detectors:MeanDistance", config, cohort, GRID, seed=0)
    save_weights(detector, folder / made.name)
    write_json(folder / made.name / "config.json", config)
    write_card(folder / made.name, DataCard(None, "volunteers", "t1", asdict(GRID), 3, 3, 0, None, 0, 0.0))
    write_fit(folder / made.name, made, {})
    write_json(folder.parent / "study.json", {"format": FORMAT})
    return find_fit(str(folder / made.name), None)


@pytest.fixture
def mapped(fit: FitFolder, setup: Setup, tmp_path: Path) -> Callable[..., Volume]:
    """`mapped(scan)` is the anomaly map written for a scan."""

    def mapped(scan: Path, **changes: object) -> Volume:
        request = replace(ScanSettings(fit, setup, None, None, tmp_path / "out"), **changes)  # type: ignore[arg-type]
        written = predict_scan(scan, scan.name.split(".")[0], load_detector(fit, "cpu"), request, Inference())
        return read_volume(written.volumes[0], as_stored=True)

    return mapped


def write_scan(path: Path, head: Head, matrix: Matrix) -> Path:
    write_volume(path, moved(head.stripped, matrix), np.float32)
    return path


def contrast(anomaly_map: Volume, lesion: np.ndarray, brain: np.ndarray) -> float:
    """How many times higher the map is in the lesions than elsewhere in the brain."""
    return float(anomaly_map.data[lesion].mean() / anomaly_map.data[brain & ~lesion].mean())


@pytest.mark.parametrize("matrix", [UNMOVED, TURN], ids=["upright", "oblique"])
def test_lesions_stand_out_at_their_place_on_the_scans_own_voxels(
    head: Head, mapped: Callable[..., Volume], tmp_path: Path, matrix: Matrix
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz", head, matrix)
    found = mapped(scan)
    assert found.data.shape == head.stripped.data.shape
    assert np.allclose(found.affine, matrix @ head.stripped.affine, atol=1e-4)
    lesion, brain = head.lesion_mask.data, head.brain_mask.data
    assert contrast(found, lesion, brain) > 4
    mirrored = lesion[::-1] & brain & ~lesion
    assert contrast(found, mirrored, brain) < 2


@pytest.mark.parametrize("codes", ["LPS", "PIR"])
def test_a_scan_stored_in_another_order_has_the_same_map(
    head: Head, mapped: Callable[..., Volume], tmp_path: Path, codes: str
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz", head, TURN)
    reoriented(scan, codes, tmp_path / "other.nii.gz")
    expected, found = mapped(scan), mapped(tmp_path / "other.nii.gz")
    stored = nibabel.loadsave.load(tmp_path / "other.nii.gz")
    assert found.data.shape == stored.shape
    assert np.allclose(found.affine, stored.affine, atol=1e-4)
    write_volume(tmp_path / "found.nii.gz", found, np.float32)
    reoriented(tmp_path / "found.nii.gz", "".join(nibabel.aff2axcodes(expected.affine)), tmp_path / "back.nii.gz")
    back = read_volume(tmp_path / "back.nii.gz", as_stored=True).data
    assert np.abs(back - expected.data).max() < 0.02 * expected.data.max()


def test_a_prepared_scan_is_mapped_as_it_lies(
    head: Head, mapped: Callable[..., Volume], tmp_path: Path, setup: Setup
) -> None:
    from datasets.preparation.resampling import resample

    box = setup.template.box(SPACING)
    scan, mask = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    write_volume(scan, Volume(resample(head.stripped, box, order=0), box.affine), np.float32)
    write_volume(mask, Volume(resample(head.brain_mask, box, order=0), box.affine))
    found = mapped(scan, setup=None, brain_mask=mask)
    lesion, brain = (resample(volume, box, order=0).astype(bool) for volume in (head.lesion_mask, head.brain_mask))
    assert contrast(found, lesion, brain) > 8
    assert not found.data[~brain].any()


def test_the_record_says_what_was_done_and_the_detection_what_is_above_the_threshold(
    head: Head, mapped: Callable[..., Volume], fit: FitFolder, tmp_path: Path
) -> None:
    found = mapped(write_scan(tmp_path / "scan.nii.gz", head, TURN), threshold=0.2)
    record = json.loads((tmp_path / "out" / "scan.json").read_text())
    assert record["fit_key"] == fit.fit.key
    assert record["threshold"] == 0.2
    assert "not a medical device" in record["use"]
    assert record["files"] == [f"scan_{k}.nii.gz" for k in ("anomaly_map", "reconstruction", "brain_mask", "detection")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*record["files"], "scan.json"])
    detection = read_volume(tmp_path / "out" / "scan_detection.nii.gz", as_stored=True).data
    assert np.array_equal(detection > 0, found.data > 0.2)
    assert 0.95 < record["share_of_brain_mapped"] <= 1


def test_scans_of_one_name_are_told_apart_by_their_folder() -> None:
    paths = [Path("a/t1.nii.gz"), Path("b/t1.nii.gz"), Path("b/other.nii")]
    assert output_names(paths) == ["a_t1", "b_t1", "other"]
    with pytest.raises(BadValue, match="expected every scan once"):
        output_names([paths[0], paths[0]])


def test_a_fit_is_found_by_folder_by_name_and_by_method(fit: FitFolder) -> None:
    run = fit.path.parents[1]
    assert find_fit(fit.path.name, run).fit.key == find_fit("mean-distance", run).fit.key == fit.fit.key
    with pytest.raises(UnknownName, match=f"Available: {fit.path.name}"):
        find_fit("ddpm", run)
    with pytest.raises(MissingData, match="No finished fit"):
        find_fit("ddpm", None)


def test_a_bad_scan_is_named_and_the_others_are_mapped(
    program: Program, head: Head, fit: FitFolder, setup: Setup, tmp_path: Path
) -> None:
    good = write_scan(tmp_path / "good.nii.gz", head, UNMOVED)
    many, empty = tmp_path / "many.nii.gz", tmp_path / "empty.nii.gz"
    nibabel.nifti1.Nifti1Image(np.ones((9, 9, 9, 3), np.float32), np.eye(4)).to_filename(many)
    write_volume(empty, Volume((np.indices((9, 9, 9))[0] > 3).astype(np.float32), np.eye(4)), np.float32)
    folder = tmp_path / "folder.nii.gz"
    folder.mkdir()
    scans = (many, good, empty, tmp_path / "none.nii.gz", folder)
    result = program("predict", fit.path, *scans, "--prepared", "--out", tmp_path / "maps")
    assert result.exit_code == 1, result.output
    assert (tmp_path / "maps" / "good_anomaly_map.nii.gz").exists()
    complaints = {line.split(" FAILED: ")[0]: line for line in result.stderr.splitlines() if "FAILED" in line}
    assert "4-D data" in complaints[str(many)]
    assert "a brain" in complaints[str(empty)]
    assert "No file" in complaints[str(tmp_path / "none.nii.gz")]
    assert len(complaints) == 4
    assert "4 of 5 scans failed" in result.stderr


def test_a_picture_shows_the_slice_with_the_most_anomaly_and_what_is_above_the_threshold(
    head: Head, fit: FitFolder, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz", head, UNMOVED)
    detector = uadbench.load_detector(fit.path, device="cpu")
    pixels = {}
    for threshold in (None, 0.2, 9.0):
        picture = detector.predict(scan, out=tmp_path / str(threshold), threshold=threshold)["picture"]
        assert picture.name == "scan.png"
        pixels[threshold] = matplotlib.image.imread(picture)
    assert pixels[None].shape == pixels[0.2].shape
    assert not np.array_equal(pixels[None], pixels[0.2])
    assert np.array_equal(pixels[None], pixels[9.0])  # nothing is above it
    case = load_case(CaseFiles("h", scan, scan, None, "h", "", "test"), GRID)
    marked = np.zeros(GRID.shape, np.float32)
    marked[20, 20, 17] = 1.0
    assert 17 in shown_slices(case, marked)


def test_without_a_scored_run_predict_says_how_a_threshold_is_chosen(
    program: Program, head: Head, fit: FitFolder, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz", head, UNMOVED)
    told = program("predict", fit.path, scan, "--prepared", "--out", tmp_path / "maps").stdout
    assert str(tmp_path / "maps" / "scan.png") in told
    assert "To choose T, map healthy scans" in told
    chosen = program("predict", fit.path, scan, "--prepared", "--out", tmp_path / "maps", "--threshold", 0.2).stdout
    assert "To choose T" not in chosen


def test_what_cannot_be_meant_is_refused_in_one_line(
    program: Program, fit: FitFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UADBENCH_TEMPLATE", raising=False)
    scan = tmp_path / "scan.nii.gz"
    assert "has learnt" in refused(program("predict", fit.path, scan, "--sequence", "t2"))
    assert "one mask for 2 scans" in refused(program("predict", fit.path, scan, "x.nii", "--brain-mask", scan))
    assert "nitrc.org" in refused(program("predict", fit.path, scan, "--stripper", "none"))
    assert "expected a NIfTI scan" in refused(program("predict", fit.path, scan, tmp_path))
    both = program("predict", fit.path, scan, "--stripper", "hdbet").stderr.splitlines()
    assert [line.split("'")[0].removeprefix("Error: ")[:12] for line in both] == ["No template ", "No stripper "]


def test_a_fit_of_an_older_layout_is_refused_in_one_line(program: Program, fit: FitFolder, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(fit.path, old)
    write_json(old / "fit.json", {"fit": asdict(fit.fit)})
    assert "got no run format, " in refused(program("predict", old, tmp_path / "scan.nii.gz"))
