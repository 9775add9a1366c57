"""What Python sees of a run is what its files hold."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from studies import Runner, read_table

import benchmark
import uadbench
from benchmark.storage.maps import read_volume
from benchmark.storage.summary_tables import SummaryLine
from datasets.errors import BadValue, MissingData, UnknownName


@pytest.fixture
def run(plugin: None, data: Path, tmp_path: Path) -> uadbench.Run:
    """Two methods, one of them with two seeds, on patients and volunteers."""
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,noisy", seeds="0-1", shifts="gamma=0.5")
    return uadbench.load_run(runner.out)


def test_tables_are_those_of_the_files(run: uadbench.Run) -> None:
    kept = read_table(run.path / "rows.csv")
    assert len(run.rows) == len(kept)
    assert [f"{value:g}" for value in run.rows["value"]] == [f"{float(row['value']):g}" for row in kept]
    assert {"mean-distance", "noisy"} <= set(run.summary["method"])
    assert len(run.comparisons) == len(read_table(run.path / "comparisons.csv"))


def test_the_number_of_the_report_is_the_mean_over_patients_and_seeds(run: uadbench.Run) -> None:
    line = run.number("noisy", "patients")
    assert isinstance(line, SummaryLine)
    rows = run.rows
    chosen = rows[
        (rows["method"] == "noisy")
        & (rows["dataset"] == "patients")
        & (rows["metric"] == line.metric)
        & (rows["postprocessing"] == line.postprocessing)
        & (rows["protocol"] == line.protocol)
        & (rows["split"] == line.split)
        & (rows["shift"] == "none")
        & (rows["case_id"] != "")
    ]
    by_seed = chosen.groupby(["seed", "subject_id"])["value"].mean().groupby("seed").mean()
    assert line.seeds == 2
    assert line.mean == pytest.approx(by_seed.mean(), abs=1e-12)


def test_maps_cases_and_reconstructions_come_by_name(run: uadbench.Run) -> None:
    for case_id in run.cases("patients"):
        case = run.case("patients", case_id)
        found = run.anomaly_map("noisy", "patients", case_id, seed=1)
        assert found.shape == case.brain_mask.shape
        assert not found[~case.brain_mask].any()
        cells = [cell for cell in run.cells if cell.fit.method == "noisy" and cell.fit.seed == 1]
        (cell,) = (cell for cell in cells if cell.cohort.dataset == "patients" and cell.shift.name == "none")
        np.testing.assert_array_equal(found, read_volume(run.folder.anomaly_map(cell, case_id)))
    shifted = run.case("patients", case_id, shift="gamma=0.5")
    assert not np.array_equal(shifted.image, case.image)


def test_a_detector_gives_the_map_that_was_kept(run: uadbench.Run) -> None:
    detector = uadbench.load_detector("mean-distance", run=_only_seed_0(run))
    (case_id, *_) = run.cases("patients")
    case = run.case("patients", case_id)
    kept = run.anomaly_map("mean-distance", "patients", case_id)
    np.testing.assert_allclose(detector.anomaly_map(case.image, case.brain_mask), kept, rtol=1e-3)
    chosen = {
        name: run.threshold("mean-distance", "patients", postprocessing="none", protocol=name)
        for name in ("lesion-val", "healthy-fpr-5")
    }
    assert detector.thresholds() == {name: value for name, value in chosen.items() if np.isfinite(value)}
    with pytest.raises(BadValue, match="the grid of"):
        detector.anomaly_map(case.image[:, 1:])
    with pytest.raises(BadValue, match=r"expected them in \[0, 1\]"):
        detector.anomaly_map(case.image * 300)


def _only_seed_0(run: uadbench.Run) -> Path:
    for cell in run.cells:
        if cell.fit.seed == 1:
            (run.folder.fit(cell.fit) / "fit.json").unlink(missing_ok=True)
    return run.path


def test_a_threshold_is_the_one_in_the_rows(run: uadbench.Run) -> None:
    kept = run.rows[
        (run.rows["metric"] == "threshold")
        & (run.rows["method"] == "noisy")
        & (run.rows["dataset"] == "patients")
        & (run.rows["seed"] == 1)
        & (run.rows["protocol"] == "lesion-val")
        & (run.rows["shift"] == "none")
    ]
    found = run.threshold("noisy", "patients", postprocessing="light", protocol="lesion-val", seed=1)
    assert found in set(kept["value"])


def test_mistakes_are_named(run: uadbench.Run, tmp_path: Path) -> None:
    case_id = run.cases("patients")[0]
    with pytest.raises(UnknownName, match="Available: mean-distance, noisy"):
        run.number("nosy", "patients")
    with pytest.raises(UnknownName, match="No cohort of this run called 'nobody'"):
        run.cases("nobody")
    with pytest.raises(UnknownName, match="No case of patients called 'nobody'"):
        run.anomaly_map("noisy", "patients", "nobody")
    with pytest.raises(UnknownName, match=r"Available: gamma=0\.5, none"):
        run.case("patients", case_id, shift="bias")
    with pytest.raises(BadValue, match="got 5, expected one of 0, 1"):
        run.anomaly_map("noisy", "patients", case_id, seed=5)
    with pytest.raises(MissingData, match="No run at"):
        uadbench.load_run(tmp_path / "nowhere")


def test_importing_is_light_and_benchmark_offers_the_same() -> None:
    program = "import sys, uadbench; sys.exit(bool({'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    for name in uadbench.__all__:
        assert getattr(benchmark, name) is getattr(uadbench, name)
