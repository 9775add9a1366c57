"""Leaks between splits, fold by fold: scans or subjects in two splits; needs only a table."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from datasets.audit.finding import Finding
from datasets.case import SPLITS
from datasets.errors import BadFile
from datasets.io.tables import read_table, same_name
from datasets.words import count_text

Row = Mapping[str, str]
PAIRS = (("train", "test"), ("train", "val"), ("val", "test"))
LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
UNITS = {"scan": "case_id", "subject": "subject_id"}


@dataclass(frozen=True)
class Fold:
    """One fold of a table of splits.

    Attributes:
        unit: "scan" or, where the table names subjects only, "subject".
        members: names in each split, repeated as in the table.
    """

    name: str
    unit: str
    members: Mapping[str, Sequence[str]]

    def shared(self, one: str, other: str) -> tuple[str, ...]:
        """The names that two splits share."""
        return tuple(sorted(set(self.members[one]) & set(self.members[other])))

    @property
    def repeated(self) -> Mapping[str, int]:
        """Names that occur more than once within a split, with the number of surplus rows."""
        repeats = [(name, count - 1) for names in self.members.values() for name, count in Counter(names).items()]
        return {name: extra for name, extra in repeats if extra}


def read_folds(path: Path) -> tuple[list[Fold], list[Finding]]:
    """The folds of a table with the columns `split`, `case_id` or `subject_id`, and optionally `fold`.

    Raises:
        MissingData: there is no such file.
        BadFile: it is not such a table.
    """
    table = read_table(path, ("split",), repeats=True)
    known = [column for column in UNITS.values() if column in table.columns]
    if not known:
        raise BadFile(f"{path}: got columns {', '.join(table.columns)}, expected also case_id or subject_id.")
    findings = [
        Finding("error", one.code, path.stem, (one.case_id,) if one.case_id else (), f"row {one.row} with {one.got}",
                one.expected)
        for one in table.problems
    ]  # fmt: skip
    units = [unit for unit, column in UNITS.items() if column in known]
    rows = table.usable
    names = sorted({row.get("fold", "") for row in rows}, key=lambda name: (len(name), name))
    folds = [_fold(name, unit, rows) for unit in units for name in names]
    return folds, [*findings, *(one for fold in folds for one in fold_findings(fold, path.stem)),
                   *_partition(folds, path.stem)]  # fmt: skip


def table_findings(rows: Sequence[Row], cohort: str) -> list[Finding]:
    """Leaks in the rows of one cohort's `cases.csv`; repeated cases are found with the row problems."""
    scans, subjects = (_fold("", unit, rows) for unit in UNITS)
    found = [one for one in fold_findings(scans, cohort) if one.code != "duplicate-row"]
    return found + [one for one in fold_findings(subjects, cohort) if one.code != "duplicate-row"]


def fold_findings(fold: Fold, cohort: str) -> Iterator[Finding]:
    """Overlaps between the splits of a fold, and rows repeated within a split."""
    place = f"fold {fold.name}: " if fold.name else ""
    for one, other in PAIRS:
        shared = fold.shared(one, other)
        if shared:
            got = f"{place}{count_text(len(shared), fold.unit)} in both {one} and {other}"
            code = f"{fold.unit}-in-two-splits"
            yield Finding("error", code, cohort, shared, got, f"every {fold.unit} in one", flag="leak")
    repeated = fold.repeated
    if repeated and fold.unit == "scan":
        got = f"{place}{count_text(sum(repeated.values()), 'row')} repeating another of their split"
        yield Finding("error", "duplicate-row", cohort, tuple(sorted(repeated)), got, "every row once", flag="leak")
    if fold.unit == "subject":
        yield from _nearly_one(fold, cohort, place)


def _nearly_one(fold: Fold, cohort: str, place: str) -> Iterator[Finding]:
    """Subjects in two splits whose names differ in leading zeros alone, as `p01` and `p1`."""
    spellings: dict[str, dict[str, str]] = {}
    for split, names in fold.members.items():
        for name in names:
            spellings.setdefault(LEADING_ZEROS.sub("", same_name(name)), {}).setdefault(name, split)
    for alike in spellings.values():
        if len(set(alike.values())) > 1 and len(alike) > 1:
            named = " and ".join(f"'{name}' in {split}" for name, split in alike.items())
            got = f"{place}{named}, names that differ in leading zeros only"
            yield Finding("warning", "similar-subjects", cohort, tuple(alike), got, "one name for each person")


def _fold(name: str, unit: str, rows: Sequence[Row]) -> Fold:
    column = UNITS[unit]
    own = [row for row in rows if row.get("fold", "") == name and row.get(column)]
    return Fold(name, unit, {split: [row[column] for row in own if row["split"] == split] for split in SPLITS})


def _partition(folds: Sequence[Fold], cohort: str) -> Iterator[Finding]:
    """Folds are replicates of an experiment only if each scan is tested in one of them."""
    for unit in UNITS:
        tests = {fold.name: set(fold.members["test"]) for fold in folds if fold.unit == unit}
        if len(tests) < 2 or not any(tests.values()):
            continue
        again = [(one, other) for one, other in combinations(tests, 2) if tests[one] & tests[other]]
        if not again:
            continue
        equal = len(set(map(frozenset, tests.values()))) == 1
        size = count_text(len(next(iter(tests.values()))), unit)
        got = (
            f"{count_text(len(tests), 'fold')} with the same test set of {size}"
            if equal
            else _overlap(tests, again, unit)
        )
        yield Finding("warning", "folds-no-partition", cohort, (), got, f"every {unit} tested in one fold only")


def _overlap(tests: Mapping[str, set[str]], again: Sequence[tuple[str, str]], unit: str) -> str:
    one, other = again[0]
    shared = count_text(len(tests[one] & tests[other]), unit)
    return f"{count_text(len(again), 'pair')} of folds whose test sets overlap (folds {one} and {other} share {shared})"
