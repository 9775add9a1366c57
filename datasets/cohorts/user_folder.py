"""UserCohort: a folder of the user's own as a cohort, in the prepared layout or as BIDS derivatives."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.case import SEQUENCES, CaseFiles
from datasets.cohorts.bids import bids_facts, bids_files, healthy_by_masks, is_bids
from datasets.errors import BadValue, MissingData
from datasets.io.tables import read_rows
from datasets.spec import DatasetSpec, prepared_files

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
            files=self.files,
        )

    def files(self, root: Path, sequence: str) -> list[CaseFiles]:
        """The cases of a sequence; `root` is ignored."""
        read = bids_files if is_bids(self.home) else prepared_files
        return read(self.spec, root, sequence)


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
    _, rows = read_rows(home / "cases.csv")
    found = {name for row in rows for name in (row.get("sequences") or "").split()}
    ordered = [name for name in SEQUENCES if name in found]
    return (*ordered, *sorted(found - {*SEQUENCES})), _healthy(rows, home)


def _healthy(rows: Sequence[Mapping[str, str]], home: Path) -> bool | None:
    """By the column `healthy` if there is one, else by whether there are lesion masks."""
    told = {row["healthy"] for row in rows if "healthy" in row}
    if told:
        return {frozenset({"yes"}): True, frozenset({"no"}): False}.get(frozenset(told))
    cases = [row.get("case_id") or "" for row in rows]
    return healthy_by_masks({case: (home / "lesion_mask" / f"{case}.nii.gz").is_file() for case in cases}, home)
