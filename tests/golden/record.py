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
from step_values import VALUES as STEPS
from step_values import recorded_step_values, step_values, unrevised_steps


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the committed values of the small studies anew.")
    parser.add_argument("study", nargs="?", choices=list(STUDIES), help="default: all")
    parser.add_argument("--same-revisions", action="store_true", help="what has changed has no revision")
    arguments = parser.parse_args()
    record_steps(same_revisions=arguments.same_revisions)
    for study in [arguments.study] if arguments.study else STUDIES:
        with TemporaryDirectory() as folder:
            run = STUDIES[study](Checkout(), Path(folder))
            if not arguments.same_revisions:
                refuse_unrevised(study, run)
            for table in TABLES[study]:
                write_lines(VALUES / study / f"{table.name}.csv", table.committed(run, Names.of(ROOT)))
            write_lines(VALUES / study / "revisions.csv", revisions_of(run, Names.of(ROOT)))


def record_steps(*, same_revisions: bool) -> None:
    """Write the values of single steps, which takes no study."""
    now = step_values()
    if not same_revisions and (trouble := list(unrevised_steps(recorded_step_values(), now))):
        sys.exit("\n".join(trouble))
    write_lines(STEPS, now)


def refuse_unrevised(study: str, run: Path) -> None:
    """End where rows have changed and nothing that they have in common has a higher revision."""
    change = change_of(study, run, Names.of(ROOT))
    if change.entries and not change.is_raised:
        told = [*change.lines(), f"{study}: not recorded. Raise a revision, or see --same-revisions."]
        sys.exit("\n".join(told))


if __name__ == "__main__":
    main()
