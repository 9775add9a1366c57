"""Studies of the user's own folders, and studies by folds, through the command line."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from cohorts import PATIENTS, VOLUNTEERS, write_cohort
from commandline import Program, refused
from studies import read_table, without_order

from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.cohorts import catalog
from datasets.cohorts.catalog import find_user_cohort
from datasets.errors import BadValue

pytestmark = pytest.mark.usefixtures("plugin")
SCORED = ("--postprocessing", "none", "--protocols", "oracle")
RUN = ("run", "--methods", "mean-distance", "--preset", "quick", "--pictures", "", *SCORED)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_USER_COHORTS", {})


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A folder in the prepared layout whose name is not the cohort's."""
    write_cohort(tmp_path / "elsewhere", PATIENTS, {"val": 3, "test": 3})
    return (tmp_path / "elsewhere" / "patients").rename(tmp_path / "elsewhere" / "our clinic")


def test_a_run_of_an_own_folder_is_evaluated_and_reported_later_from_anywhere(
    program: Program, data: Path, clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clinic.parent)
    out = tmp_path / "run"
    result = program(*RUN, "--datasets", "mine=our clinic", "--healthy", "volunteers", "--data", data, "--out", out)
    assert result.exit_code == 0, result.output
    rows = read_table(out / "rows.csv")
    assert {row["dataset"] for row in rows} == {"volunteers", "mine"}
    (own,) = json.loads((out / "study.json").read_text())["own"]
    assert own == {"name": "mine", "home": str(clinic), "sequences": ["t1"], "healthy": False}

    catalog._USER_COHORTS.clear()  # as in another process
    monkeypatch.chdir(tmp_path)
    assert program("evaluate", out).exit_code == 0
    assert without_order(read_table(out / "rows.csv")) == without_order(rows)
    catalog._USER_COHORTS.clear()
    shutil.rmtree(clinic)
    assert program("report", out, "--pictures", "").exit_code == 0
    assert "mine (`mine`)" in (out / "report.md").read_text()


def test_an_own_folder_that_has_moved_is_found_below_data_and_must_be_the_same(
    program: Program, data: Path, clinic: Path, tmp_path: Path
) -> None:
    out, moved = tmp_path / "run", tmp_path / "moved"
    program(*RUN, "--datasets", f"mine={clinic}", "--healthy", "volunteers", "--data", data, "--out", out)
    shutil.copytree(data, moved)
    clinic.rename(moved / "mine")
    assert "No prepared mine" in refused(program("evaluate", out))
    assert program("evaluate", out, "--data", moved).exit_code == 0
    shutil.copy(moved / "mine/t1/patients-val-0.nii.gz", moved / "mine/t1/patients-test-0.nii.gz")
    assert f"{moved / 'mine'}: got data with digest" in refused(program("evaluate", out, "--data", moved))


def test_detectors_are_fitted_on_an_own_healthy_folder(data: Path) -> None:
    asked = Request("mean-distance", "patients", data, healthy=f"ours={data / 'volunteers'}", preset="quick")
    study = plan(asked)
    assert [cell.cohort.dataset for cell in study.cells] == ["ours", "patients"]
    assert len(study.training_cases(study.fits[0], "train")) == 3


def test_one_name_for_two_folders_is_refused(data: Path, clinic: Path) -> None:
    patients, volunteers = f"a={data / 'patients'}", f"a={data / 'volunteers'}"
    for healthy, datasets in [("volunteers", f"a={clinic},{patients}"), (volunteers, f"a={clinic}")]:
        with pytest.raises(BadValue, match=r"dataset 'a': got .* and .*, expected one folder for each name"):
            plan(Request("mean-distance", datasets, data, healthy=healthy, preset="quick"))


def test_an_own_folder_by_the_name_of_a_cohort_is_refused_in_one_line(
    program: Program, data: Path, clinic: Path
) -> None:
    line = refused(program(*RUN, "--datasets", f"msl={clinic}", "--healthy", "volunteers", "--data", data))
    assert "got the name of a cohort that there is" in line
    assert find_user_cohort("msl") is None


@pytest.fixture
def many(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "many", VOLUNTEERS, {"train": 5, "val": 3, "test": 2})
    write_cohort(tmp_path / "many", PATIENTS, {"val": 2, "test": 2})
    return tmp_path / "many"


def test_folds_validate_every_healthy_subject_once_and_never_move_the_test_split(many: Path) -> None:
    study = plan(Request("mean-distance", "patients", many, preset="quick", folds=3))
    assert [(fit.folds, fit.seed) for fit in study.fits] == [(3, 0), (3, 1), (3, 2)]
    validated = Counter(case.subject_id for fit in study.fits for case in {
        one.subject_id: one for one in study.training_cases(fit, "val")}.values())  # fmt: skip
    assert len(validated) == 6  # eight scans of six people
    assert {*validated.values()} == {1}
    for fit in study.fits:
        learnt = {split: {one.subject_id for one in study.training_cases(fit, split)} for split in ("train", "val")}  # type: ignore[arg-type]
        assert not learnt["train"] & learnt["val"]
        mapped = study.mapped_cases(study.healthy_cells(fit)[0])
        assert [one.case_id for one in mapped if one.split == "test"] == ["volunteers-test-0", "volunteers-test-1"]


def test_folds_are_in_the_key_and_are_not_seeds(many: Path) -> None:
    folds = plan(Request("mean-distance", "patients", many, preset="quick", folds=2))
    seeds = plan(Request("mean-distance", "patients", many, preset="quick", seeds="0-1"))
    assert not {fit.key for fit in folds.fits} & {fit.key for fit in seeds.fits}


def test_a_run_by_folds_tells_them_in_rows_report_and_table(program: Program, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = (*RUN, "--datasets", "patients", "--data", many, "--out", out)
    assert program(*asked, "--folds", "2").exit_code == 0
    assert {row["seed"] for row in read_table(out / "rows.csv")} == {"0", "1", ""}
    assert "- **Folds**: 0, 1 of 2, each validated on in turn" in (out / "report.md").read_text()
    assert "got a run with folds 2, expected 0" in refused(program(*asked))
    with (out / "rows.csv").open(encoding="utf-8") as stream:
        mapped = {
            (row["seed"], row["split"], row["subject_id"])
            for row in csv.DictReader(stream)
            if row["dataset"] == "volunteers" and row["case_id"]
        }
    validated = {subject for _, split, subject in mapped if split == "val"}
    people = [("train", number) for number in range(1, 5)] + [("val", 1), ("val", 2)]
    assert validated == {f"volunteers-{split}-{number}" for split, number in people}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", "3", "--seeds", "0-2"), "--folds 3: got --seeds 0-2 too, expected one of them."),
        (("--folds", "7"), "--folds: got 7, expected at most 6, as many as there are subjects to share."),
    ],
)
def test_folds_that_cannot_be_are_refused(program: Program, many: Path, options: tuple[str, ...], message: str) -> None:
    assert refused(program(*RUN, "--datasets", "patients", "--data", many, *options)) == f"Error: {message}"


def test_a_picture_of_an_own_cohort_has_no_empty_link(
    program: Program, data: Path, clinic: Path, tmp_path: Path
) -> None:
    asked = [part for part in RUN if part not in ("--pictures", "")]
    out = tmp_path / "run"
    program(*asked, "--datasets", f"mine={clinic}", "--healthy", "volunteers", "--data", data, "--out", out)
    report = (out / "report.md").read_text()
    assert "mine: a cohort of the user's own; licence: as its owner says\n" in report
