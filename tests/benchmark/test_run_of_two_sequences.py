"""From scans of two sequences to rows and tables: a whole run on the phantom, and what is refused before it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, VOLUNTEERS, write_flair
from commandline import call, refused

from benchmark.storage.maps import read_volume
from datasets.cohorts.catalog import dataset
from datasets.grid import GRIDS
from datasets.loading import load_case
from datasets.simulation.phantom import write_phantom

DAE = "dae[steps=4,width=4]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, beside the data it was made of."""
    folder = tmp_path_factory.mktemp("two-sequences")
    write_phantom(folder / "data", healthy=6, lesion=2, spacing=4.0)
    asked = {"methods": f"thresh,{DAE}", "datasets": "phantom", "sequence": "flair,t1", "preset": "quick"}
    asked |= {"postprocessing": "none", "shifts": "gamma=0.7", "data": folder / "data", "out": folder / "run"}
    done = call("run", *(part for name, value in asked.items() for part in (f"--{name}", value)))
    assert done.exit_code == 0, done.output
    return folder / "run"


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "rows.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_and_tables_name_both_sequences(run: Path) -> None:
    found = rows(run)
    assert {row["sequence"] for row in found} == {"t1+flair"}
    assert {row["method"] for row in found} == {"thresh", DAE, "perfect-map"}
    assert {row["shift"] for row in found} == {"none", "gamma"}
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "t1+flair" in report
    assert DAE in report


def test_numbers_of_a_reconstruction_are_means_over_its_sequences(run: Path) -> None:
    (cell,) = (path.parent for path in run.glob("cells/dae*-none-*/cell.json"))
    files = {one.case_id: one for one in dataset("phantom").files(run.parent / "data", "t1+flair")}
    kept = [row for row in rows(run) if row["method"] == DAE and row["metric"] == "l1" and row["shift"] == "none"]
    assert kept
    for row in kept:
        case = load_case(files[row["case_id"]], GRIDS["quick"])
        places = (cell / "reconstructions", cell / "reconstructions" / "flair")
        made = [read_volume(place / f"{case.case_id}.nii.gz") for place in places]
        each = [np.abs(image - one)[case.brain_mask].mean() for image, one in zip(case.image, made, strict=True)]
        assert float(row["value"]) == pytest.approx(np.mean(each), rel=1e-4)


def test_it_verifies(run: Path) -> None:
    done = call("verify", run, "--data", run.parent / "data")
    assert done.exit_code == 0, done.output


def test_scores_of_one_sequence_are_not_made_of_two(run: Path, tmp_path: Path) -> None:
    done = call("evaluate", run, "--data", run.parent / "data", "--scores", "ssim", "--out", tmp_path / "scored")
    assert done.exit_code == 0, done.output
    assert f"n/a for {DAE}" in done.output
    scored = {row["method"] for row in rows(tmp_path / "scored") if row["postprocessing"] == "ssim:none"}
    assert scored == {"perfect-map"}


def test_methods_of_one_sequence_are_refused_by_name(own_data: Path, plugin: None) -> None:
    write_flair(own_data, VOLUNTEERS)
    write_flair(own_data, PATIENTS)
    asked = ("run", "--datasets", "patients", "--sequence", "t1,flair", "--preset", "quick", "--data", own_data)
    told = refused(call(*asked, "--methods", "thresh,vae,mean-distance"))
    assert "got vae, mean-distance" in told
    assert "--methods 'thresh'" in told
    assert "take one sequence: --sequence t1." in told


def test_a_single_scan_is_refused(run: Path) -> None:
    scan = dataset("phantom").files(run.parent / "data", "t1")[0].image
    assert "got a fit of t1+flair" in refused(call("predict", "thresh", scan, "--run", run, "--prepared"))
