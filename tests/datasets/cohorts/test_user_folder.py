"""Folders of the user's own: which layout, whose brains, and names that may be given."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cohorts import write_case

from datasets.audit.cohorts import audit
from datasets.cohorts import catalog
from datasets.cohorts.catalog import add_user_cohort, dataset, dataset_argument, find_user_cohort
from datasets.cohorts.user_folder import UserCohort, user_cohort
from datasets.errors import BadFile, BadValue, MissingData, UnknownName, UserError
from datasets.spec import digest


@pytest.fixture(autouse=True)
def unknown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adopts is forgotten after it."""
    monkeypatch.setattr(catalog, "_USER_COHORTS", {})


def write(folder: Path, rows: Sequence[Mapping[str, str]], masked: Sequence[str] = ()) -> Path:
    """A prepared folder with these rows; the cases `masked` have a lesion."""
    for row in rows:
        write_case(folder, row["case_id"], lesion=row["case_id"] in masked)
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def row(case_id: str, split: str = "test", **more: str) -> dict[str, str]:
    return {"case_id": case_id, "subject_id": case_id, "split": split, "sequences": "t1", **more}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write(tmp_path / "clinic", [row("a", "val"), row("b")], masked=("a", "b"))


def test_a_prepared_folder_is_a_cohort_by_the_name_it_is_given(mine: Path) -> None:
    spec = dataset_argument(f"mine={mine}")
    assert (spec.name, spec.sequences, spec.healthy, spec.home) == ("mine", ("t1",), False, mine)
    files = dataset("mine").files(Path("anywhere"), "t1")
    assert [case.case_id for case in files] == ["a", "b"]
    assert files[0].lesion_mask == mine / "lesion_mask/a.nii.gz"
    assert len(digest(files)) == 64


def test_a_folder_without_lesion_masks_is_healthy(tmp_path: Path) -> None:
    spec = dataset_argument(f"mine={write(tmp_path / 'clinic', [row('a', 'train'), row('b', 'val')])}")
    assert spec.healthy is True
    assert all(case.healthy for case in spec.files(tmp_path, "t1"))


def test_some_masks_and_no_column_that_says_so_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "clinic", [row("a"), row("b"), row("c")], masked=("b",))
    with pytest.raises(BadFile, match=r"for 1 of 3 cases \(none for 'a'\), expected one for each or for none"):
        user_cohort("mine", folder)


def test_the_column_says_who_is_healthy(tmp_path: Path) -> None:
    rows = [row("a", healthy="yes"), row("b", healthy="no")]
    spec = dataset_argument(f"mine={write(tmp_path / 'clinic', rows, masked=('b',))}")
    assert spec.healthy is None
    assert {case.case_id: case.healthy for case in spec.files(tmp_path, "t1")} == {"a": True, "b": False}


@pytest.mark.parametrize(("told", "healthy"), [("yes", True), ("no", False)])
def test_a_column_of_one_value_makes_the_cohort_of_one_kind(tmp_path: Path, told: str, healthy: bool) -> None:
    folder = write(tmp_path / "clinic", [row("a", healthy=told), row("b", healthy=told)])
    assert user_cohort("mine", folder).healthy is healthy


def test_sequences_are_those_of_the_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "clinic", [row("a") | {"sequences": "flair t1"}, row("b") | {"sequences": "adc t1"}])
    assert user_cohort("mine", folder).sequences == ("t1", "flair", "adc")


@pytest.mark.parametrize("name", ["ixi", "brats21", "phantom"])
def test_a_name_that_is_taken_is_refused(mine: Path, name: str) -> None:
    with pytest.raises(BadValue, match=f"dataset '{name}=.*got the name of a cohort that there is"):
        dataset_argument(f"{name}={mine}")
    assert find_user_cohort(name) is None


@pytest.mark.parametrize("name", ["", "a b", "../up", "1st", "implant[ixi]", "x" * 41])
def test_a_name_that_is_none_is_refused(mine: Path, name: str) -> None:
    with pytest.raises(BadValue, match="expected a letter, then letters, digits"):
        dataset_argument(f"{name}={mine}")


def test_a_folder_that_is_not_there_or_no_cohort_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="nowhere"):
        dataset_argument(f"mine={tmp_path / 'nowhere'}")
    with pytest.raises(MissingData, match=r"looked for cases\.csv .* and dataset_description\.json"):
        dataset_argument(f"mine={tmp_path}")


def test_an_unreadable_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadFile, match=r"cases\.csv: got a table that cannot be read"):
        dataset_argument(f"mine={tmp_path}")


def test_home_is_absolute_whatever_was_given(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.parent)
    assert dataset_argument("mine=clinic").home == mine
    monkeypatch.setenv("HOME", str(mine.parent))
    assert dataset_argument("mine=~/clinic").home == mine


def test_an_adopted_cohort_needs_no_folder_to_have_a_title(tmp_path: Path) -> None:
    add_user_cohort(UserCohort("mine", tmp_path / "gone", ("t1",), True))
    assert dataset("mine").title == "mine"
    with pytest.raises(MissingData, match="gone"):
        dataset("mine").files(tmp_path, "t1")


def test_an_adopted_name_is_offered_where_another_is_mistyped(mine: Path) -> None:
    dataset_argument(f"mine={mine}")
    with pytest.raises(UnknownName, match="Did you mean 'mine'") as refusal:
        dataset("mien")
    assert isinstance(refusal.value, UserError)


def test_a_table_needs_no_more_than_the_names_of_its_cases(tmp_path: Path) -> None:
    """Sequences come from the folders, people from the cases, and splits from the rule, which is the same each time."""
    names = [f"p{number:02}" for number in range(12)]
    folder = write(tmp_path / "clinic", [{"case_id": name} for name in names], masked=names)
    spec = dataset_argument(f"mine={folder}")
    assert (spec.sequences, spec.healthy) == (("t1",), False)
    files = spec.files(tmp_path, "t1")
    assert [(case.case_id, case.subject_id) for case in files] == [(name, name) for name in names]
    assert {case.split for case in files} == {"val", "test"}
    assert [case.split for case in spec.files(tmp_path, "t1")] == [case.split for case in files]
    assert audit([spec], tmp_path, limit=1) != audit([spec], tmp_path)


def test_scans_of_one_person_stay_in_one_split_where_the_table_has_none(tmp_path: Path) -> None:
    rows = [{"case_id": f"{person}-{scan}", "subject_id": person} for person in "abcdefgh" for scan in "12"]
    spec = dataset_argument(f"mine={write(tmp_path / 'clinic', rows)}")
    splits: dict[str, set[str]] = {}
    for case in spec.files(tmp_path, "t1"):
        splits.setdefault(case.subject_id, set()).add(case.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val", "test"}


def test_a_folder_of_masks_under_another_name_is_named_before_a_cohort_is_called_healthy(tmp_path: Path) -> None:
    folder = write(tmp_path / "clinic", [row("a"), row("b")], masked=("a", "b"))
    (folder / "lesion_mask").rename(folder / "wmh")
    with pytest.raises(BadFile, match=r"got wmh/ with files of the cases, which may be lesion masks"):
        user_cohort("mine", folder)


def test_yes_and_no_are_understood_in_any_capitals(tmp_path: Path) -> None:
    folder = write(tmp_path / "clinic", [row("a", healthy="Yes"), row("b", healthy="NO ")], masked=("b",))
    spec = dataset_argument(f"mine={folder}")
    assert spec.healthy is None
    assert [case.healthy for case in spec.files(tmp_path, "t1")] == [True, False]


def test_two_spellings_of_a_person_are_one(tmp_path: Path) -> None:
    rows = [{**row("a", "train"), "subject_id": "P1"}, {**row("b", "train"), "subject_id": " p1"}]
    spec = dataset_argument(f"mine={write(tmp_path / 'clinic', rows)}")
    assert {case.subject_id for case in spec.files(tmp_path, "t1")} == {"P1"}
