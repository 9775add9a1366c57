"""Entry: the tables and data cards of a run on a board, and whether they verify."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.storage.checksums import broken, write_checksums
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.rows import PLUGIN, Row, kept_rows
from benchmark.storage.run_record import has_failed, kept_cells, kept_references
from benchmark.study.cells import Cell, Fit
from benchmark.verification.leaderboard.release import Release
from benchmark.verification.verify import strange_rows
from datasets.errors import BadValue, UserError
from datasets.io.atomic import new_folder, read_json, write_json
from datasets.io.files import sha256

TABLES = ("rows.csv", "timing.csv", "environment.json", "verification.json")
SHOWN = 3  # names of an error


@dataclass(frozen=True)
class Entry:
    """One run on a board."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder)

    @property
    def cells(self) -> list[Cell]:
        return kept_cells(self.run)

    def rows(self) -> list[Row]:
        return kept_rows(self.folder / "rows.csv")

    @property
    def maps_verified(self) -> bool:
        """Whether the verification also mapped cases again."""
        return any(check["name"] == "maps" for check in read_json(self.folder / "verification.json")["checks"])


def entries(board: Path) -> list[Entry]:
    return [Entry(path.parent) for path in sorted((board / "entries").glob("*/study.json"))]


def take(run: RunFolder, board: Path, name: str) -> Entry:
    """Copy the tables and data cards of a run into a board, without the paths of its data.

    Raises:
        BadValue: the board has an entry with this name.
    """
    folder = board / "entries" / name
    if folder.exists():
        raise BadValue(f"{board}: got a second entry '{name}', expected another --name.")
    with new_folder(folder) as beside:
        for table in TABLES:
            if (run.root / table).is_file():
                shutil.copyfile(run.root / table, beside / table)
        for card in sorted(run.root.glob("fits/*/card.json")):
            (beside / "fits" / card.parent.name).mkdir(parents=True)
            shutil.copyfile(card, beside / "fits" / card.parent.name / card.name)
        failed = [cell.key for cell in kept_cells(run) if has_failed(run, cell)]
        write_json(beside / "study.json", {**_without_places(read_json(run.study)), "failed": failed})
        write_checksums(beside, ("study.json", *TABLES, "fits"))
    return Entry(folder)


def faults(entry: Entry, release: Release) -> list[str]:
    """Reasons to refuse an entry, one line each; empty if it verifies."""
    try:
        return list(_faults(entry, release))
    except (UserError, KeyError, TypeError) as error:
        return [f"cannot be read: {error}"]


def _faults(entry: Entry, release: Release) -> Iterator[str]:
    yield from broken(entry.folder)
    yield from unverified(entry.run)
    by_plugins = list(_scored_by_plugins(entry))
    yield from by_plugins
    wrong = by_plugins or list(release.faults(entry.run))
    yield from wrong
    if not wrong:
        open_run(entry.folder)  # registers the cohorts that only its authors have
        yield from strange_rows(entry.rows(), entry.cells, kept_references(entry.run))


def _scored_by_plugins(entry: Entry) -> Iterator[str]:
    """A line where a plugin's metric, protocol or post-processing has made rows: no one else could verify them."""
    flagged = [row for row in entry.rows() if PLUGIN in row.flags.split()]
    if flagged:
        names = sorted({" / ".join(filter(None, (row.postprocessing, row.protocol, row.metric))) for row in flagged})
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        yield (
            f"got {len(flagged)} rows scored by plugins ({shown}), expected built-in scoring only; score it anew with: "
            f"python -m benchmark evaluate {entry.folder} --metrics ... --protocols ... --postprocessing ..."
        )


def unverified(run: RunFolder) -> Iterator[str]:
    """Reasons why `verification.json` does not vouch for the table of a run."""
    path = run.root / "verification.json"
    if not path.is_file():
        yield f"never verified; do it with: python -m benchmark verify {run.root}"
        return
    kept = read_json(path)
    if kept.get("rows") != sha256(run.root / "rows.csv"):
        yield "its table has changed since it was verified"
    yield from (f"did not verify: {check['name']}" for check in kept["checks"] if check["faults"])
    if "rows" not in {check["name"] for check in kept["checks"]}:
        yield "its rows were not made again when it was verified"


def clashes(entry: Entry, others: Sequence[Entry]) -> Iterator[str]:
    """Contradictions between an entry and `others`: one method, cell or row with two meanings."""
    for other in others:
        kept, configs = {cell.label: cell for cell in other.cells}, {cell.fit.method: cell.fit for cell in other.cells}
        for method, fit in {cell.fit.method: cell.fit for cell in entry.cells}.items():
            if method in configs and _recipe(configs[method]) != _recipe(fit):
                yield (
                    f"{method} stands on the board with other hyper-parameters or of another version or revision "
                    f"({other.name})"
                )
        for cell in entry.cells:
            if kept.get(cell.label, cell) != cell:
                what = f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}"
                yield f"{what} stands on the board from other settings ({other.name})"
        theirs = {row.name: repr(row.value) for row in other.rows()}
        unlike = sum(theirs.get(row.name, repr(row.value)) != repr(row.value) for row in entry.rows())
        if unlike:
            yield f"{unlike} rows have the keys of {other.name} and other numbers"


def _recipe(fit: Fit) -> tuple[object, ...]:
    return dict(fit.config), fit.origin, fit.revision


def _without_places(study: dict[str, Any]) -> dict[str, Any]:
    """A study without the paths of the machine that ran it."""
    return {**study, "data": "", "asked": [], "own": [{**own, "home": own["name"]} for own in study["own"]]}
