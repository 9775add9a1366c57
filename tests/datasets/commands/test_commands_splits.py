"""`python -m datasets splits`: tables of the committed lists, of tables of subjects, of prepared cohorts, of folds."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from cohorts import PATIENTS, VOLUNTEERS, write_cohort
from typer.testing import CliRunner

from datasets.__main__ import app
from datasets.cohorts import catalog
from datasets.errors import BadFile, BadValue, MissingData
from datasets.splits.assignment import committed_splits

Table = list[dict[str, str]]

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_USER_COHORTS", {})


def printed(*arguments: object) -> Table:
    result = CliRunner().invoke(app, ["splits", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_the_committed_list_is_printed() -> None:
    table = printed("ixi")
    assert [(row["subject_id"], row["split"]) for row in table] == [
        (one.subject.subject_id, one.split) for one in committed_splits("ixi")
    ]
    assert list(table[0]) == ["subject_id", "split", "site", "age_band"]


def test_folds_are_printed_with_their_number() -> None:
    table = printed("msl", "--folds", 3)
    assert Counter((row["fold"], row["split"]) for row in table) == {
        (str(fold), split): size for fold in range(3) for split, size in (("val", 10), ("test", 20))
    }
    turns = printed("ixi", "--folds", 5, "--turn", "test")
    assert {*Counter(row["subject_id"] for row in turns if row["split"] == "test").values()} == {1}


def test_a_table_of_subjects_is_split_by_the_rule(tmp_path: Path) -> None:
    table = tmp_path / "subjects.csv"
    table.write_text("\ufeffsubject_id,site,age\n" + "".join(f"s{n},here,{20 + n}\n" for n in range(20)))
    found = printed("brats", "--subjects", table)
    assert Counter(row["split"] for row in found) == {"val": 2, "test": 18}
    assert found[0] == {"subject_id": "s0", "split": found[0]["split"], "site": "here", "age_band": "20-29"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name\na\n", "without a subject_id"),
        ("subject_id\n", "without a subject_id"),
        ("subject_id,age\na,old\n", "got age 'old' of 'a'"),
        ("subject_id\na\na\n", "'a' twice"),
    ],
)
def test_an_unusable_table_of_subjects_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "subjects.csv").write_text(text)
    with pytest.raises((BadFile, BadValue), match=reason):
        printed("brats", "--subjects", tmp_path / "subjects.csv")


def test_a_prepared_cohort_has_the_splits_that_lie_there(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    result = CliRunner().invoke(app, ["splits", "volunteers", "--data", str(data), "--out", str(out)])
    assert result.stdout == f"Wrote 5 subjects to {out}: 2 train, 2 val, 1 test.\n"
    assert out.read_text().startswith("subject_id,split,site\nvolunteers-train-1,train,here\n")


def test_an_own_folder_is_shown_too(data: Path) -> None:
    assert Counter(row["split"] for row in printed(f"mine={data / 'patients'}")) == {"val": 2, "test": 2}


def test_a_prepared_subject_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2})
    table = tmp_path / "volunteers/cases.csv"
    table.write_text(table.read_text().replace("volunteers-val-1,val", "volunteers-train-1,val"))
    with pytest.raises(BadFile, match="'volunteers-train-1' in train and val"):
        printed("volunteers", "--data", tmp_path)


def test_a_cohort_whose_subjects_are_not_listed_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="BraTS21 has no committed list of its subjects: give --subjects or --data"):
        printed("brats")
    with pytest.raises(MissingData, match="No prepared BraTS21"):
        printed("brats", "--data", tmp_path)


def test_options_that_do_not_go_together_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="--subjects: got --data too"):
        printed("ixi", "--subjects", tmp_path / "x.csv", "--data", data)
    with pytest.raises(BadValue, match="--turn: got 'train', expected val or test"):
        printed("ixi", "--folds", 3, "--turn", "train")
    with pytest.raises(MissingData, match="No file"):
        printed("ixi", "--subjects", tmp_path / "x.csv")


def test_a_lesion_cohort_validates_each_patient_once_over_the_folds(tmp_path: Path) -> None:
    write_cohort(tmp_path, PATIENTS, {"val": 3, "test": 4})
    table = printed("patients", "--data", tmp_path, "--folds", 2)
    assert Counter(row["subject_id"] for row in table if row["split"] == "val") == {
        row["subject_id"]: 1 for row in table
    }
