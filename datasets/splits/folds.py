"""The split that a fit learns from: redrawn by its seed, or one of several folds, a partition of the subjects."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from datasets.case import CaseFiles, Split
from datasets.errors import BadValue
from datasets.splits.assignment import HEALTHY
from datasets.splits.hashing import deal, rank, scale_sizes
from datasets.splits.subjects import Subject, subjects_of

Turn = Literal["val", "test"]
MOST_FOLDS = 100
SUBSETS = "uadbench training scans"  # salt of the order in which subsets take subjects


@dataclass(frozen=True)
class FoldSplit:
    """A subject's split in one fold."""

    subject: Subject
    fold: int
    split: Split


def learning_split(files: Sequence[CaseFiles], *, seed: int, folds: int = 0) -> list[CaseFiles]:
    """The cases in the splits that a fit learns from: those of its seed, or of its fold where there are `folds`.

    A cohort of which all healthy cases are for testing is dealt by the rule first.
    """
    files = dealt(files)
    return refold(files, folds=folds, fold=seed) if folds else redraw(files, seed)


def dealt(files: Sequence[CaseFiles]) -> list[CaseFiles]:
    """Deal the healthy subjects of a cohort that has them in its test split alone, by the rule; else as they are."""
    healthy = [case for case in files if case.healthy]
    if not healthy or any(case.split != "test" for case in healthy):
        return list(files)
    subjects = subjects_of(healthy)
    strata = {one.subject_id: HEALTHY.stratum(one) for one in subjects}
    split = deal(strata, scale_sizes(HEALTHY.sizes, len(strata)), salt="uadbench split of a test-only cohort")
    return [replace(case, split=split[case.subject_id]) if case.healthy else case for case in files]


def nested_subset(cases: Sequence[CaseFiles], number: int) -> list[CaseFiles]:
    """So many of the cases, in their order: subjects by a hash, whole as far as they fit; fewer are among more."""
    places = sorted(range(len(cases)), key=lambda place: (rank(cases[place].subject_id, SUBSETS), place))
    return [cases[place] for place in sorted(places[:number])]


def redraw(files: Sequence[CaseFiles], seed: int) -> list[CaseFiles]:
    """Redraw train and val among the healthy subjects of both, so that a seed varies the data too.

    Seed 0 keeps the split of `cases.csv`. Subjects stay whole, the number of validation cases is
    kept (or passed by the last subject's further scans), and test cases never move.
    """
    pool = [case for case in files if case.healthy and case.split != "test"]
    if seed == 0 or not pool:
        return list(files)
    expected = sum(case.split == "val" for case in pool)
    subjects = sorted({case.subject_id for case in pool})
    random.Random(seed).shuffle(subjects)
    val: set[str] = set()
    for subject in subjects:
        if sum(case.subject_id in val for case in pool) >= expected:
            break
        val.add(subject)
    moved: dict[str, Split] = {case.case_id: "val" if case.subject_id in val else "train" for case in pool}
    return [replace(case, split=moved.get(case.case_id, case.split)) for case in files]


def refold(files: Sequence[CaseFiles], *, folds: int, fold: int) -> list[CaseFiles]:
    """Train and val among the healthy subjects of both as fold `fold` has them; test cases never move."""
    pool = [case for case in files if case.healthy and case.split != "test"]
    part = parts(subjects_of(pool), folds)
    moved: dict[str, Split] = {case.case_id: "val" if part[case.subject_id] == fold else "train" for case in pool}
    return [replace(case, split=moved.get(case.case_id, case.split)) for case in files]


def fold_table(
    subjects: Sequence[Subject], splits: Mapping[str, Split], folds: int, *, turn: Turn = "val"
) -> list[FoldSplit]:
    """Every subject's split in every fold; in one fold no subject is in two.

    With `turn` "val" the test split stays as it is and each of the other subjects is in validation
    exactly once: the folds of `python -m benchmark run --folds`. A cohort without training subjects
    has each of its subjects in validation once, and in test otherwise.

    With "test" each subject is in test exactly once, in validation one fold before (where the cohort
    has training subjects at all), and trained on in the other folds.

    Raises:
        BadValue: as `parts`, or too few folds to leave subjects for training.
    """
    trains = "train" in splits.values()
    rest: Split = "train" if trains else "test"
    moving = [one for one in subjects if turn == "test" or not trains or splits[one.subject_id] != "test"]
    if trains and turn == "test" and folds < 3:
        raise BadValue(
            f"--folds: got {folds} with --turn test, expected 3 or more: validation and test take a part each."
        )
    part = parts(moving, folds)
    placed = []
    for fold in range(folds):
        turns: dict[int, Split] = {fold: turn}
        if turn == "test":
            turns |= {(fold + 1) % folds: "val"} if trains else {}
            rest = "train" if trains else "val"
        placed += [FoldSplit(one, fold, _split(one, part, turns, rest)) for one in subjects]
    return placed


def parts(subjects: Iterable[Subject], folds: int) -> dict[str, int]:
    """The part of 0 ... `folds` - 1 that each subject belongs to, by the rule, every site in proportion.

    Parts differ by one subject at most.

    Raises:
        BadValue: fewer than two folds, or fewer subjects than folds.
    """
    subjects = list(subjects)
    if not 2 <= folds <= MOST_FOLDS:
        raise BadValue(f"--folds: got {folds}, expected 2 to {MOST_FOLDS}.")
    if len(subjects) < folds:
        raise BadValue(
            f"--folds: got {folds}, expected at most {len(subjects)}, as many as there are subjects to share."
        )
    sizes = scale_sizes({str(part): 1 for part in range(folds)}, len(subjects))
    dealt = deal({one.subject_id: one.site for one in subjects}, sizes, salt=f"uadbench {folds} folds")
    return {subject: int(part) for subject, part in dealt.items()}


def _split(subject: Subject, part: Mapping[str, int], turns: Mapping[int, Split], rest: Split) -> Split:
    if subject.subject_id not in part:
        return "test"
    return turns.get(part[subject.subject_id], rest)
