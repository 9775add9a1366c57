"""Folds are a partition: each subject has its turn once, and in one fold nobody is in two splits."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from datasets.case import CaseFiles, Split
from datasets.errors import BadValue
from datasets.splits import Subject, fold_table, learning_split, nested_subset, redraw
from datasets.splits.folds import Turn, parts

PEOPLE = [Subject(f"s{index:03}", "ab"[index % 3 == 0]) for index in range(47)]
SPLITS: dict[str, Split] = {
    one.subject_id: ("test" if index < 12 else "val" if index < 17 else "train") for index, one in enumerate(PEOPLE)
}
PATIENTS: dict[str, Split] = {one.subject_id: "val" if index < 10 else "test" for index, one in enumerate(PEOPLE)}


@pytest.mark.parametrize("folds", [3, 5, 10])
@pytest.mark.parametrize("turn", ["val", "test"])
@pytest.mark.parametrize("splits", [SPLITS, PATIENTS], ids=["healthy", "patients"])
def test_each_subject_has_its_turn_once_and_one_split_a_fold(splits: dict[str, Split], turn: Turn, folds: int) -> None:
    placed = fold_table(PEOPLE, splits, folds, turn=turn)
    assert Counter((one.fold, one.subject.subject_id) for one in placed) == {
        (fold, one.subject_id): 1 for fold in range(folds) for one in PEOPLE
    }
    turns = Counter(one.subject.subject_id for one in placed if one.split == turn)
    stays = {name for name, split in splits.items() if split == "test" and splits is SPLITS and turn == "val"}
    assert turns == {one.subject_id: 1 for one in PEOPLE if one.subject_id not in stays}
    assert all(one.split == "test" for one in placed if one.subject.subject_id in stays)


def test_validation_and_test_are_disjoint_partitions_when_test_takes_turns() -> None:
    placed = fold_table(PEOPLE, SPLITS, 5, turn="test")
    for split in ("val", "test"):
        assert {*Counter(one.subject.subject_id for one in placed if one.split == split).values()} == {1}
    assert {one.split for one in placed} == {"train", "val", "test"}


def test_parts_are_even_and_every_site_is_in_each() -> None:
    part = parts(PEOPLE, 5)
    sizes = Counter(part.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for site, number in Counter(one.site for one in PEOPLE).items():
        counted = Counter(part[one.subject_id] for one in PEOPLE if one.site == site)
        assert all(abs(counted[fold] - number / 5) < 1.5 for fold in range(5))


def test_the_order_of_the_subjects_does_not_matter() -> None:
    assert parts(list(reversed(PEOPLE)), 4) == parts(PEOPLE, 4)


@pytest.mark.parametrize(
    ("folds", "reason"), [(1, "got 1, expected 2 to 100"), (48, "expected at most 47"), (101, "got 101")]
)
def test_too_few_or_too_many_folds_are_refused(folds: int, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        parts(PEOPLE, folds)


def test_two_folds_leave_nobody_to_train_on_when_test_takes_turns() -> None:
    with pytest.raises(BadValue, match="expected 3 or more"):
        fold_table(PEOPLE, SPLITS, 2, turn="test")


def cohort() -> list[CaseFiles]:
    """Two scans of every healthy subject, and two patients."""
    path = Path("scan.nii.gz")
    healthy = [
        CaseFiles(f"{one.subject_id}-{scan}", path, path, None, one.subject_id, one.site, SPLITS[one.subject_id])
        for one in PEOPLE
        for scan in (0, 1)
    ]
    patients = [CaseFiles(f"p-{split}", path, path, path, f"p-{split}", "a", split) for split in ("val", "test")]  # type: ignore[arg-type]
    return [*healthy, *patients]


def test_a_fold_of_a_fit_is_that_of_the_table() -> None:
    table = {(one.fold, one.subject.subject_id): one.split for one in fold_table(PEOPLE, SPLITS, 5)}
    for fold in range(5):
        learnt = [case for case in learning_split(cohort(), seed=fold, folds=5) if case.healthy]
        assert {(fold, case.subject_id): case.split for case in learnt} == {
            key: split for key, split in table.items() if key[0] == fold
        }


def test_patients_stay_where_they_are_in_every_fold() -> None:
    for fold in range(3):
        assert [one for one in learning_split(cohort(), seed=fold, folds=3) if not one.healthy] == cohort()[-2:]


def test_without_folds_the_seed_draws() -> None:
    assert learning_split(cohort(), seed=4) == redraw(cohort(), 4)


def test_a_smaller_subset_is_contained_in_a_larger_one_whatever_the_order_of_the_scans() -> None:
    cases = [one for one in cohort() if one.healthy]
    subsets = [nested_subset(cases, number) for number in range(len(cases) + 1)]
    assert [len(one) for one in subsets] == list(range(len(cases) + 1))
    assert all(set(map(id, few)) < set(map(id, more)) for few, more in pairwise(subsets))
    assert subsets[-1] == cases
    whole = {one.subject_id for one in nested_subset(cases, 6)} ^ {
        one.subject_id for one in nested_subset(cases[::-1], 6)
    }
    assert len(whole) <= 1  # of the last subject, who may have more scans than fit


def test_a_cohort_for_testing_alone_is_dealt_to_all_splits_by_person() -> None:
    cases = [replace(one, split="test") for one in cohort() if one.healthy]
    learnt = learning_split(cases, seed=0)
    assert {one.split for one in learnt} == {"train", "val", "test"}
    splits = {one.subject_id: {other.split for other in learnt if other.subject_id == one.subject_id} for one in cases}
    assert all(len(one) == 1 for one in splits.values())
    assert learning_split(cases[::-1], seed=0)[::-1] == learnt
    assert {one.case_id for one in learning_split(cases, seed=3) if one.split == "test"} == {
        one.case_id for one in learnt if one.split == "test"
    }
