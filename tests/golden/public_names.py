"""Names of columns, metrics, protocols and options that have changed since the values were recorded: `renames.csv`."""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PLACE = Path("tests/golden/renames.csv")
Line = dict[str, str]


@dataclass(frozen=True)
class Names:
    """What has another name in a checkout.

    Attributes:
        new_by_old: by kind: `option`, `table` (a file of a run folder), `column`, or the name of the column, as
            recorded, in which a name stands (`metric`, `protocol`, `postprocessing`, `dataset`, ...).
    """

    new_by_old: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, tree: Path) -> "Names":
        """Those of a checkout; none in one that has no table."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        if (tree / PLACE).is_file():
            with (tree / PLACE).open(newline="", encoding="utf-8") as stream:
                for line in csv.DictReader(stream):
                    found[line["kind"]][line["old"]] = line["new"]
        return cls(found)

    def command(self, words: Sequence[str]) -> list[str]:
        """A command in the checkout's words, which stand between `,`, `=` and `:`."""
        everywhere = {old: new for kind in self.new_by_old.values() for old, new in kind.items()}
        return [re.sub("[^,=:]+", lambda part: everywhere.get(part[0], part[0]), word) for word in words]

    def table(self, name: str) -> str:
        """Where the checkout keeps a table of this name, as recorded."""
        return self.new_by_old.get("table", {}).get(name, name)

    def as_recorded(self, lines: Sequence[Mapping[str, str]]) -> list[Line]:
        """Lines of a table of the checkout in the names of the recorded one."""
        columns = {new: old for old, new in self.new_by_old.get("column", {}).items()}
        old_by_new = {kind: {new: old for old, new in names.items()} for kind, names in self.new_by_old.items()}
        found = []
        for line in lines:
            renamed = {columns.get(name, name): value for name, value in line.items()}
            found.append({name: old_by_new.get(name, {}).get(value, value) for name, value in renamed.items()})
        return found
