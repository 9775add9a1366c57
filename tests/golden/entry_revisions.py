"""Which registered entries the values were recorded under, by revision, and which of them a change of values is of.

A row's number is made by a method, a post-processing, a protocol and a metric, and its column `revision` tells theirs.
"""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from golden_tables import TABLES, VALUES, Table, Tolerance, differences, read_lines
from public_names import Line, Names

KINDS = ("method", "postprocessing", "protocol", "metric")  # in the order of a row's revisions
Entry = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True)
class Change:
    """The entries that changed values of a study have in common, and all revisions then and now."""

    entries: Sequence[Entry]
    before: Mapping[Entry, str]
    now: Mapping[Entry, str]

    @property
    def is_raised(self) -> bool:
        """Whether any of the entries has a higher revision than its values were recorded under, or is new."""
        return any(int(self.now.get(one, 0)) > int(self.before.get(one, 0)) for one in self.entries)

    def lines(self) -> Iterator[str]:
        """A line for each entry; nothing may change under an unchanged revision."""
        for kind, name in self.entries:
            old, new = self.before.get((kind, name), "none"), self.now.get((kind, name), "none")
            if old == new:
                expected = "expected a higher revision or the same values"
                yield f"{kind} '{name}': got other values under revision {new}, {expected}"
            else:
                yield f"{kind} '{name}': recorded under revision {old}, got {new}; record its values anew"


def change_of(study: str, run: Path, names: Names) -> Change:
    """What of a study's rows is not what was recorded."""
    with (VALUES / study / "revisions.csv").open(newline="", encoding="utf-8") as stream:
        recorded = list(csv.DictReader(stream))
    (rows,) = (table for table in TABLES[study] if table.name == "rows")
    before = read_lines(VALUES / study / "rows.csv", Names({}))
    entries = blamed(rows, before, rows.committed(run, names), list(_by_entry(recorded)))
    return Change(entries, _by_entry(recorded), _by_entry(revisions_of(run, names)))


def revisions_of(run: Path, names: Names) -> list[Line]:
    """A line an entry that has made any row of a run folder."""
    with (run / names.table("rows.csv")).open(newline="", encoding="utf-8") as stream:
        rows = names.as_recorded(list(csv.DictReader(stream)))
    found = {
        (kind, row[kind], revision)
        for row in rows
        for kind, revision in zip(KINDS, row["revision"].split("."), strict=True)
        if revision != "0"
    }
    return [{"kind": kind, "name": name, "revision": revision} for kind, name, revision in sorted(found)]


def blamed(table: Table, before: Sequence[Line], now: Sequence[Line], known: Sequence[Entry]) -> list[Entry]:
    """The entries that all changed lines of a table have in common; without such, all that they name.

    Args:
        before, now: committed lines of the table, and the same of a run.
        known: every entry of the study.
    """
    changed = [set(group.split()) for group in _changed(before, now, table.tolerance)]
    named = [one for one in known if any(one[1] in words for words in changed)]
    single = [kind for kind in KINDS if _count(kind, named) == 1 < _count(kind, known)]
    return [one for one in named if one[0] in single] or named


def _changed(before: Sequence[Line], now: Sequence[Line], tolerance: Tolerance) -> set[str]:
    old, new = ({line["group"]: line for line in lines} for lines in (before, now))
    both = old.keys() & new.keys()
    return {name for name in both if any(differences([old[name]], [new[name]], tolerance))} | (old.keys() ^ new.keys())


def _count(kind: str, entries: Collection[Entry]) -> int:
    return sum(one == kind for one, _ in entries)


def _by_entry(lines: Sequence[Line]) -> Mapping[Entry, str]:
    return {(line["kind"], line["name"]): line["revision"] for line in lines}
