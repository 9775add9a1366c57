"""Try a random sample of small changes of the code against the nearest tests: `tox -e mutants`.

What has been tried stays in the folder, so that the same command goes on where it was stopped. Survivors are tried
again, since a test may have been written for them.
"""

import argparse
import contextlib
import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from changes import AREAS, Change, by_hand, changes_of, sample_of, source_with
from trials import SECONDS_OF_A_CHANGE, SECONDS_OF_A_SURVIVOR, Result, Trials

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.9
"""Of the sample, to be killed."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Try small changes of the code against the nearest tests.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".tox" / "mutants" / "trials", help="keeps the results")
    parser.add_argument("--number", type=int, default=400, help="size of the sample")
    parser.add_argument("--all", action="store_true", help="every change, about two days of one core")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    tree = folder / "project"
    copy_project(tree)
    collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    subprocess.run([sys.executable, *collect], cwd=tree, stdout=subprocess.DEVNULL)  # leaves bytecode to all trials
    changes = changes_of(tree, folder / "changes.json")
    chosen = [*by_hand(tree), *(changes if arguments.all else sample_of(changes, arguments.number))]
    results = known(folder / "results.csv")
    trials = Trials(tree, folder / "timings.csv")
    with contextlib.suppress(KeyboardInterrupt):
        for number, change in enumerate(
            sorted(chosen, key=lambda change: change.order in results), 1
        ):  # survivors last
            if change.order in results and results[change.order].outcome == "killed":
                continue
            budget = SECONDS_OF_A_SURVIVOR if change.order in results else SECONDS_OF_A_CHANGE
            result = results[change.order] = trials.of(change.path, source_with(tree, change), budget)
            keep(folder / "results.csv", change, result)
            print(f"{number}/{len(chosen)} {result.outcome} {result.seconds:.0f} s: {change.name}", flush=True)
    tried = [change for change in chosen if change.order in results]
    print(f"{len(tried)} of {len(chosen)} tried", *summary(tried, results), sep="\n")
    if rate_of(tried, results) < LEAST:
        sys.exit(1)


def copy_project(tree: Path) -> None:
    """The working tree's files, without what git ignores; bytecode that is there stays."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    names = [name for name in listed if name and (ROOT / name).is_file()]
    for stale in set(tree.rglob("*.py")) - {tree / name for name in names}:
        stale.unlink()
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)


def known(path: Path) -> dict[str, Result]:
    if not path.exists():
        return {}
    with path.open() as lines:
        return {
            row["order"]: Result(row["outcome"], row["killer"], float(row["seconds"])) for row in csv.DictReader(lines)
        }


def keep(path: Path, change: Change, result: Result) -> None:
    row = {**vars(change), **vars(result)}
    new = not path.exists()
    with path.open("a") as lines:
        writer = csv.DictWriter(lines, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def rate_of(changes: Sequence[Change], results: Mapping[str, Result]) -> float:
    return sum(results[change.order].outcome == "killed" for change in changes) / max(1, len(changes))


def summary(tried: Sequence[Change], results: Mapping[str, Result]) -> Iterator[str]:
    """The rate of killed changes by area with Wilson's 95 % interval, and the survivors."""
    from statsmodels.stats.proportion import proportion_confint

    for area in ["by hand", *AREAS, "all"]:
        drawn = [one for one in tried if one.area == area or (area == "all" and one.number is not None)]
        if drawn:
            rate = rate_of(drawn, results)
            low, high = proportion_confint(round(rate * len(drawn)), len(drawn), method="wilson")
            yield f"{area}: {rate:.1%} of {len(drawn)} killed ({low:.1%} to {high:.1%})"
    for change in tried:
        if results[change.order].outcome != "killed":
            yield f"{results[change.order].outcome}: {change.name}"


if __name__ == "__main__":
    main()
