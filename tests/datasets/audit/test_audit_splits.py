"""Splits: what two of them share, what stands twice, and folds that are none."""

import os
from pathlib import Path

import pytest

from datasets.audit.splits import PAIRS, read_folds, table_findings
from datasets.errors import BadFile, MissingData

REFERENCE = os.environ.get("UADBENCH_REFERENCE", "")
SOUND = "fold,split,case_id\n0,train,a\n0,val,b\n0,test,c\n1,train,b\n1,val,c\n1,test,a\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "splits.csv"


def codes(path: Path) -> list[str]:
    return [one.code for one in read_folds(path)[1]]


def test_nothing_is_said_of_folds_that_are_apart(table: Path) -> None:
    table.write_text(SOUND)
    assert codes(table) == []


@pytest.mark.skipif(not REFERENCE, reason="UADBENCH_REFERENCE names no folder")
def test_the_published_splits_share_what_they_are_known_to_share() -> None:
    folds, findings = read_folds(Path(REFERENCE) / "ixi_published_splits.csv")
    shared = {pair: [len(fold.shared(*pair)) for fold in folds] for pair in PAIRS}
    assert shared == {
        ("train", "test"): [9, 9, 9, 7, 8],
        ("train", "val"): [0, 0, 2, 3, 3],
        ("val", "test"): [0, 0, 0, 2, 1],
    }
    assert all(sum(fold.repeated.values()) > 0 for fold in folds)
    found = [one.code for one in findings]
    assert (found.count("duplicate-row"), found.count("scan-in-two-splits")) == (5, 10)
    (partition,) = [one for one in findings if one.code == "folds-no-partition"]
    assert partition.severity == "warning"
    assert "5 folds with the same test set" in partition.got


def test_shared_scans_are_counted_fold_by_fold_with_their_names(table: Path) -> None:
    table.write_text(SOUND + "1,train,a\n1,val,a\n")
    findings = read_folds(table)[1]
    assert [(one.severity, one.flag, one.cases, one.got) for one in findings] == [
        ("error", "leak", ("a",), "fold 1: 1 scan in both train and test"),
        ("error", "leak", ("a",), "fold 1: 1 scan in both train and val"),
        ("error", "leak", ("a",), "fold 1: 1 scan in both val and test"),
    ]


def test_rows_that_repeat_are_counted_within_a_split(table: Path) -> None:
    table.write_text(SOUND + "0,train,a\n0,train,a\n")
    (finding,) = read_folds(table)[1]
    assert (finding.severity, finding.code, finding.cases) == ("error", "duplicate-row", ("a",))
    assert finding.got == "fold 0: 2 rows repeating another of their split"


def test_a_table_without_folds_is_one_and_of_subjects_is_by_subject(table: Path) -> None:
    table.write_text("split,subject_id\ntrain,s1\ntest,s1\ntest,s2\n")
    folds, (finding,) = read_folds(table)
    assert [(fold.name, fold.unit) for fold in folds] == [("", "subject")]
    assert finding.got == "1 subject in both train and test"


def test_two_scans_of_one_subject_leak_where_their_names_do_not(table: Path) -> None:
    table.write_text("split,case_id,subject_id\ntrain,s1-a,s1\ntest,s1-b,s1\n")
    assert codes(table) == ["subject-in-two-splits"]


def test_test_sets_that_overlap_are_no_partition(table: Path) -> None:
    table.write_text(SOUND + "1,test,c\n".replace("c", "d") + "0,test,d\n")
    (finding,) = read_folds(table)[1]
    assert finding.got == "1 pair of folds whose test sets overlap (folds 0 and 1 share 1 scan)"


def test_a_bad_row_is_named_and_the_others_are_judged(table: Path) -> None:
    table.write_text(SOUND + "0,tset,e\n0,test,a\n")
    assert sorted(codes(table)) == ["bad-split", "folds-no-partition", "scan-in-two-splits"]
    assert {one.code: one.severity for one in read_folds(table)[1]}["bad-split"] == "error"


@pytest.mark.parametrize("text", ["split\ntrain\n", "case_id\na\n"])
def test_a_table_of_other_columns_is_refused(table: Path, text: str) -> None:
    table.write_text(text)
    with pytest.raises(BadFile, match="expected also"):
        read_folds(table)


def test_a_table_that_is_not_there_is_refused(table: Path) -> None:
    with pytest.raises(MissingData, match="No file"):
        read_folds(table)


def test_the_rows_of_a_cohort_are_judged_alike() -> None:
    rows = [
        {"case_id": "a", "subject_id": "s", "split": "train"},
        {"case_id": "b", "subject_id": "s", "split": "val"},
    ]
    (finding,) = table_findings(rows, "mine")
    assert (finding.code, finding.cohort, finding.cases) == ("subject-in-two-splits", "mine", ("s",))


def test_two_scans_of_one_person_in_a_split_are_no_repeated_row() -> None:
    """Rows that repeat a case are found with the row problems."""
    rows = [{"case_id": case, "subject_id": "s", "split": "train"} for case in ("a", "b", "b")]
    assert table_findings(rows, "mine") == []
