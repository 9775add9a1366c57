"""UserCohort: a folder of the user's own as a cohort, in the prepared layout or as BIDS derivatives."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.case import MASKS, SEQUENCES, CaseFiles
from datasets.cohorts.bids import bids_facts, bids_files, healthy_by_masks, is_bids
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.nifti import stem
from datasets.io.tables import Table, read_table
from datasets.spec import DatasetSpec, told_by
from datasets.splits.assignment import split_of
from datasets.splits.subjects import Subject

NAME = re.compile(r"[A-Za-z][\w-]{0,39}")


@dataclass(frozen=True)
class UserCohort:
    """What a run records of a folder, so that later commands know it by its name.

    Attributes:
        home: absolute.
        healthy: as in `DatasetSpec`.
    """

    name: str
    home: Path
    sequences: tuple[str, ...]
    healthy: bool | None

    @property
    def spec(self) -> DatasetSpec:
        return DatasetSpec(
            name=self.name,
            title=self.name,
            sequences=self.sequences,
            healthy=self.healthy,
            licence="as its owner says",
            reference="a cohort of the user's own",
            url="",
            how_to_get=f"It was at {self.home}.",
            home=self.home,
            files=self._bids_files if is_bids(self.home) else None,  # type: ignore[arg-type]
            table=self._table,
        )

    def _bids_files(self, root: Path, sequence: str) -> list[CaseFiles]:
        return bids_files(self.spec, root, sequence)

    def _table(self, folder: Path) -> Table:
        """The table in the prepared layout, which needs no more than the column `case_id`."""
        return read_table(folder / "cases.csv", ("case_id",), {**told_by(folder), "split": self._splits})

    def _splits(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """The split of each row by the rule (`datasets.splits`)."""
        patients = {row["subject_id"] for row in rows if row.get("healthy") == "no"}
        people = {
            name: Subject(name, row.get("site", ""), healthy=name not in patients)
            for row in rows
            if (name := row["subject_id"])
        }
        splits = split_of(self.spec, people.values())
        return [splits.get(row["subject_id"], "") for row in rows]


def user_cohort(name: str, home: Path) -> UserCohort:
    """Inspect a folder: its layout, its sequences, and whether it is healthy.

    Raises:
        BadValue: the name is not a valid name of a cohort.
        MissingData: there is no such folder, or nothing in it has a known layout.
        BadFile: only some cases have a lesion mask, and no column says who is healthy.
    """
    if not NAME.fullmatch(name):
        raise BadValue(f"dataset '{name}={home}': got name '{name}', expected a letter, then letters, digits, - or _.")
    home = home.expanduser().resolve()
    if not home.is_dir():
        raise MissingData(f"dataset '{name}': no folder {home}.")
    if is_bids(home):
        sequences, healthy = bids_facts(home)
    elif (home / "cases.csv").is_file():
        sequences, healthy = _prepared_facts(home)
    else:
        raise MissingData(
            f"dataset '{name}': looked for cases.csv (the prepared layout) and dataset_description.json (BIDS) in "
            f"{home}."
        )
    return UserCohort(name, home, sequences, healthy)


def _prepared_facts(home: Path) -> tuple[tuple[str, ...], bool | None]:
    table = read_table(home / "cases.csv", ("case_id",), told_by(home))
    found = {name for row in table.rows for name in row["sequences"].split()}
    ordered = [*(name for name in SEQUENCES if name in found), *sorted(found - {*SEQUENCES})]
    return tuple(ordered), _healthy(table, home, ordered)


def _healthy(table: Table, home: Path, sequences: Sequence[str]) -> bool | None:
    """By the column `healthy` if there is one, else by whether there are lesion masks.

    Raises:
        BadFile: there is no such column, and some cases only have a lesion mask, or files in a folder that is none of
            the layout's may be such masks.
    """
    if "healthy" in table.columns:
        told = frozenset(row["healthy"] for row in table.rows)
        return {frozenset({"yes"}): True, frozenset({"no"}): False}.get(told)
    cases = [row["case_id"] for row in table.rows]
    healthy = healthy_by_masks({case: (home / "lesion_mask" / f"{case}.nii.gz").is_file() for case in cases}, home)
    known = {*SEQUENCES, *sequences, *MASKS}
    strange = [
        f"{folder.name}/"
        for folder in sorted(home.iterdir())
        if folder.is_dir() and folder.name not in known and {*cases} & {stem(path) for path in folder.iterdir()}
    ]
    if healthy and strange:
        raise BadFile(
            f"{home}: got {', '.join(strange)} with files of the cases, which may be lesion masks, expected those in "
            "lesion_mask/, or a column healthy (yes or no) in cases.csv."
        )
    return healthy
