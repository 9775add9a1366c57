"""Redrawing moves whole healthy subjects between train and val, and nothing else."""

from pathlib import Path

import pytest

from datasets.case import CaseFiles, Split
from datasets.splits import redraw


def scan(subject: str, number: int, split: Split, *, lesion: bool = False) -> CaseFiles:
    path = Path("scan.nii.gz")
    return CaseFiles(f"{subject}-{number}", path, path, path if lesion else None, subject, "here", split)


def cohort() -> list[CaseFiles]:
    """Ten subjects in train, four in val and three in test; two scans of some; two patients."""
    train = [scan(f"t{index}", number, "train") for index in range(10) for number in range(1 + index % 2)]
    val = [scan(f"v{index}", 0, "val") for index in range(4)]
    test = [scan(f"x{index}", 0, "test") for index in range(3)]
    return [*train, scan("p0", 0, "val", lesion=True), *val, *test, scan("p1", 0, "test", lesion=True)]


def ids(files: list[CaseFiles], split: Split) -> set[str]:
    return {case.case_id for case in files if case.split == split and case.healthy}


def test_seed_zero_keeps_the_published_split() -> None:
    assert redraw(cohort(), 0) == cohort()


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_seed_keeps_subjects_whole_and_the_number_of_validation_cases(seed: int) -> None:
    drawn = redraw(cohort(), seed)
    splits: dict[str, set[str]] = {}
    for case in drawn:
        splits.setdefault(case.subject_id, set()).add(case.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len(ids(drawn, "val")) in (4, 5)


@pytest.mark.parametrize("seed", range(1, 6))
def test_test_cases_and_lesion_cases_never_move(seed: int) -> None:
    before, after = cohort(), redraw(cohort(), seed)
    assert [case.case_id for case in before] == [case.case_id for case in after]
    for old, new in zip(before, after, strict=True):
        if old.split == "test" or not old.healthy:
            assert old == new


def test_seeds_differ_and_one_seed_repeats() -> None:
    drawn = {frozenset(ids(redraw(cohort(), seed), "val")) for seed in range(1, 11)}
    assert len(drawn) > 5
    assert redraw(cohort(), 7) == redraw(cohort(), 7)


def test_the_order_of_the_table_does_not_matter() -> None:
    backwards = redraw(list(reversed(cohort())), 3)
    assert ids(backwards, "val") == ids(redraw(cohort(), 3), "val")


def test_a_cohort_without_validation_cases_gets_none() -> None:
    only_train = [case for case in cohort() if case.split == "train"]
    assert redraw(only_train, 5) == only_train


def test_a_cohort_of_test_cases_stays() -> None:
    only_test = [case for case in cohort() if case.split == "test"]
    assert redraw(only_test, 5) == only_test
