"""Write the committed values anew, for a change of numbers that is meant: `python tests/golden/record.py`."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from golden_tables import TABLES, VALUES, write_lines
from public_names import Names
from small_study import ROOT, STUDIES, Checkout


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the committed values of the small studies anew.")
    parser.add_argument("study", nargs="?", choices=list(STUDIES), help="default: all")
    only = parser.parse_args().study
    for study in [only] if only else STUDIES:
        with TemporaryDirectory() as folder:
            run = STUDIES[study](Checkout(), Path(folder))
            for table in TABLES[study]:
                write_lines(VALUES / study / f"{table.name}.csv", table.committed(run, Names.of(ROOT)))


if __name__ == "__main__":
    main()
