"""Write the committed values anew, for a change of numbers that is meant: `python tests/golden/record.py`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from golden_tables import TABLES, VALUES, write_lines
from public_names import Names
from small_study import ROOT, STUDIES, Checkout


def main() -> None:
    for study, run_study in STUDIES.items():
        with TemporaryDirectory() as folder:
            run = run_study(Checkout(), Path(folder))
            for table in TABLES[study]:
                write_lines(VALUES / study / f"{table.name}.csv", table.committed(run, Names.of(ROOT)))


if __name__ == "__main__":
    main()
