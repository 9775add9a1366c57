"""Calibration of a run of real maps: who counts, what is guaranteed, what is written."""

from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from commandline import Program, refused
from studies import Runner

from benchmark.analysis import calibration as calibrating
from benchmark.analysis.calibration import Scan, calibrate_run, calibration_cases, one_scan_each
from benchmark.metrics.ground_truth import GroundTruth
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.storage.maps import read_volume
from benchmark.storage.run_record import reopen
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path
from datasets.case import CaseFiles
from datasets.loading import load_case

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Runner:
    from datasets.grid import GRIDS

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.setitem(GRIDS, "quick", TINY)
        made = Runner(data, tmp_path_factory.mktemp("calibrated") / "run")
        made.run("mean-distance,noisy", "patients,inpatients", seeds="0-1")
    return made


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One healthy person is enough, as no cohort of the tests has twenty."""
    monkeypatch.setattr(calibrating, "FEWEST", 1)


def test_fewer_than_twenty_people_are_refused(runner: Runner, program: Program) -> None:
    message = refused(program("calibrate", runner.out, "--healthy", "volunteers"))
    assert "got maps of 1 healthy people that it was not fitted or validated on, expected at least 20" in message


@pytest.mark.parametrize("name", ["volunters", "ixi"])
def test_a_cohort_that_the_run_has_no_maps_of_is_refused(runner: Runner, program: Program, name: str) -> None:
    assert "volunteers" in refused(program("calibrate", runner.out, "--healthy", name))


def test_a_folder_of_other_scans_is_refused(runner: Runner, own_data: Path, program: Program) -> None:
    assert calibrating.check_folder(reopen(runner.folder, None), str(own_data / "volunteers")) == "volunteers"
    (own_data / "volunteers" / "t1" / "volunteers-test-0.nii.gz").write_bytes(b"another scan")
    message = refused(program("calibrate", runner.out, "--healthy", own_data / "volunteers"))
    assert "got scans with digest" in message


def test_only_test_scans_of_the_cohort_fitted_on_count_one_a_person(runner: Runner, few: None) -> None:
    study = reopen(runner.folder, None)
    cell = study.healthy_cells(study.fits[0])[0]
    assert [one.case_id for one in calibration_cases(study, cell)] == ["volunteers-test-0"]
    everyone = one_scan_each(study.files["patients"])
    assert len({one.subject_id for one in everyone}) == len(everyone) == 4


def test_the_threshold_is_a_level_of_a_healthy_scan_and_power_is_of_the_other_cohorts(
    runner: Runner, few: None
) -> None:
    study = reopen(runner.folder, None)
    found = list(calibrate_run(runner.folder, study, "volunteers", PIPELINES["light"], alpha=0.5))
    assert [(one.method, one.seed) for one in found] == [
        ("mean-distance", 0), ("mean-distance", 1), ("noisy", 0), ("noisy", 1)
    ]  # fmt: skip
    cell = study.healthy_cells(study.fits[0])[0]
    (files,) = calibration_cases(study, cell)
    case = load_case(files, TINY)
    kept = read_volume(runner.folder.anomaly_map(cell, files.case_id))
    light = PIPELINES["light"]
    level = light.finish(light.filter(kept, case.brain_mask, case.spacing)).scores.max()
    assert found[0].levels == (level,)
    assert found[0].threshold.threshold == level
    powers = {power.dataset: power for power in found[0].powers}
    assert set(powers) == {"patients", "inpatients"}
    assert powers["patients"].people == powers["patients"].with_lesion == 2
    assert 0 <= powers["patients"].hit <= powers["patients"].alarmed <= 2
    assert any(power.voxel_recall > 0 for one in found for power in one.powers)
    assert all(0 <= power.voxel_recall <= 1 for one in found for power in one.powers)


def test_the_command_writes_thresholds_and_p_maps(runner: Runner, few: None, program: Program, tmp_path: Path) -> None:
    out = tmp_path / "calibration"
    result = program(
        "calibrate", runner.out, "--healthy", "volunteers", "--alpha", 0.5, "--p-maps", "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Calibrated on 1 healthy people of volunteers" in result.stdout
    lines = read_lines(summary_path(runner.out), SummaryLine)
    lines = lines[lines["kind"] == "calibration"]
    assert {*lines["protocol"]} == {"conformal-0.5:volunteers"}
    alarmed = lines[(lines["metric"] == "alarm") & (lines["dataset"] != "volunteers")]
    assert len(alarmed) == 8
    assert {*alarmed["dataset"]} == {"patients", "inpatients"}
    assert (alarmed["low"] <= alarmed["mean"]).all()
    maps = sorted((out / "p-maps").rglob("*.nii.gz"))
    assert len(maps) == 4 * (2 + 1)  # fits times people
    p = read_volume(maps[0])
    assert p.shape == TINY.shape
    assert p.min() >= 0.5 - 1e-6  # one scan: no p-value is lower
    assert np.isclose(p.max(), 1)


def test_too_few_scans_for_the_rate_say_which_they_are_enough_for(runner: Runner, few: None, program: Program) -> None:
    assert "at least 0.500" in refused(program("calibrate", runner.out, "--healthy", "volunteers"))


def test_a_voxel_to_be_ignored_raises_no_alarm_and_enters_no_p_value() -> None:
    brain = np.ones((3, 3, 3), dtype=bool)
    ignored = np.indices(brain.shape)[0] == 0
    filtered = np.linspace(1, 0, brain.size).reshape(brain.shape).astype(np.float32)  # highest where it is ignored
    nobody = CaseFiles("one", Path(), Path(), None, "one", "", "test")
    scan, blind = (
        Scan(GroundTruth(nobody, brain, None, (2.0, 2.0, 2.0), 0.0, mask), np.eye(4), filtered, filtered)
        for mask in (ignored, None)
    )
    assert (scan.level, blind.level) == (pytest.approx(filtered[1, 0, 0]), 1)
    assert sorted(scan.scores) == sorted(filtered[1:].ravel())
