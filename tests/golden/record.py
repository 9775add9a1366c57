"""Write the committed values anew, for a change of numbers that is meant: `python tests/golden/record.py`.

Values that have changed while the revision of what makes them has not are refused, unless the change is of something
that has no revision: how scans are read, or the statistics of rows.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from entry_revisions import change_of, revisions_of
from golden_tables import TABLES, VALUES, write_lines
from public_names import Names
from small_study import ROOT, STUDIES, Checkout


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the committed values of the small studies anew.")
    parser.add_argument("study", nargs="?", choices=list(STUDIES), help="default: all")
    parser.add_argument("--same-revisions", action="store_true", help="what has changed has no revision")
    arguments = parser.parse_args()
    for study in [arguments.study] if arguments.study else STUDIES:
        with TemporaryDirectory() as folder:
            run = STUDIES[study](Checkout(), Path(folder))
            if not arguments.same_revisions:
                refuse_unrevised(study, run)
            for table in TABLES[study]:
                write_lines(VALUES / study / f"{table.name}.csv", table.committed(run, Names.of(ROOT)))
            write_lines(VALUES / study / "revisions.csv", revisions_of(run, Names.of(ROOT)))


def refuse_unrevised(study: str, run: Path) -> None:
    """End where rows have changed and nothing that they have in common has a higher revision."""
    change = change_of(study, run, Names.of(ROOT))
    if change.entries and not change.is_raised:
        told = [*change.lines(), f"{study}: not recorded. Raise a revision, or see --same-revisions."]
        sys.exit("\n".join(told))


if __name__ == "__main__":
    main()
