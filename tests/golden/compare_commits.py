"""Compare every row of the studies with an earlier commit's: `python tests/golden/compare_commits.py COMMIT`.

Both run on the same machine one after the other, so that networks have to agree in every bit as well. Names that have
changed are read by `renames.csv` of each side.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from golden_tables import TABLES, Table, differences, exact
from public_names import Names
from small_study import ROOT, STUDIES, Checkout

SHOWN = 20  # differences a table


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare every row of the small studies with those of a commit.")
    parser.add_argument("commit", help="an earlier commit, such as the parent of a change: HEAD~1")
    parser.add_argument("--studies", default=",".join(STUDIES), help="comma-separated; default: all")
    arguments = parser.parse_args()
    studies = arguments.studies.split(",")
    unknown = [study for study in studies if study not in STUDIES]
    if unknown:
        parser.error(f"got study '{unknown[0]}'. Available: {', '.join(STUDIES)}.")
    with TemporaryDirectory() as folder, checked_out(arguments.commit, Path(folder) / "tree") as tree:
        told = [line for study in studies for line in changes(study, tree, Path(folder))]
    print("\n".join(told) if told else f"{', '.join(studies)}: every row is that of {arguments.commit}.")
    sys.exit(1 if told else 0)


@contextmanager
def checked_out(commit: str, tree: Path) -> Iterator[Path]:
    """The project as it stood at a commit."""
    subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit], check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=True)


def changes(study: str, tree: Path, folder: Path) -> Iterator[str]:
    """What a study says in this tree and did not say in the other one; lines of a table in any order."""
    runs = {}
    for side in (tree, ROOT):
        here = folder / f"{study}-{len(runs)}"
        here.mkdir()
        runs[side] = STUDIES[study](Checkout(side), here)
    for table in TABLES[study]:
        if not (runs[tree] / Names.of(tree).table(table.path)).exists() and "*" not in table.path:
            print(f"{study}: there was no {table.path} then; not compared.")
            continue
        before, now = (_lines(table, run, Names.of(side)) for side, run in runs.items())
        for line in islice(differences(before, now, exact), SHOWN):
            yield f"{study}, {table.path}: {line}"


def _lines(table: Table, run: Path, names: Names) -> list[dict[str, str]]:
    return sorted(table.lines(run, names), key=lambda line: list(line.values()))


if __name__ == "__main__":
    main()
