"""The table damage x file kind x command: what each command makes of a finished run in which one file is damaged.

`python tests/faults/damage_table.py [COMMAND ...]` damages copies of a small run and writes `docs/damaged-runs.md`.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from commandline import call
from typer.testing import Result

DOCS = Path(__file__).parents[2] / "docs" / "damaged-runs.md"
ONE, OTHER = "mean-distance", "noisy"  # a method whose files are damaged, and one whose files take their place
CELL, FIT, REFERENCE = f"cells/{ONE}-patients-none-*", f"fits/{ONE}-*", "cells/perfect-map-patients-*"
FILES = {
    "study.json": "study.json",
    "environment.json": "environment.json",
    "audit.json": "audit.json",
    "rows.csv": "rows.csv",
    "timing.csv": "timing.csv",
    "tables.json": "tables.json",
    "participants.csv": "participants.csv",
    "summary.csv": "summary.csv",
    "comparisons.csv": "comparisons.csv",
    "summary.json": "summary.json",
    "fit": FIT,
    "fit: fit.json": f"{FIT}/fit.json",
    "fit: card.json": f"{FIT}/card.json",
    "fit: config.json": f"{FIT}/config.json",
    "fit: weights.safetensors": f"{FIT}/weights.safetensors",
    "fit: SHA256SUMS": f"{FIT}/SHA256SUMS",
    "cell": CELL,
    "cell: cell.json": f"{CELL}/cell.json",
    "cell: SHA256SUMS": f"{CELL}/SHA256SUMS",
    "cell: a map": f"{CELL}/maps/patients-test-0.nii.gz",
    "cell: a reconstruction": f"{CELL}/reconstructions/patients-test-0.nii.gz",
    "cell: rows.csv": f"{CELL}/rows.csv",
    "cell: timing.csv": f"{CELL}/timing.csv",
    "cell: pr.csv": f"{CELL}/pr.csv",
    "cell: lesions.csv": f"{CELL}/lesions.csv",
    "cell: strata.csv": f"{CELL}/strata.csv",
    "perfect map: reference.json": f"{REFERENCE}/reference.json",
    "perfect map: rows.csv": f"{REFERENCE}/rows.csv",
}
RECORDS = ("SHA256SUMS", "tables.json", "summary.json")
STUDY = (
    *("--methods", f"{ONE},{OTHER}", "--datasets", "patients", "--preset", "quick", "--limit", "1"),
    *("--postprocessing", "light", "--protocols", "lesion-val,healthy-fpr-1", "--pictures", "", "--data", "DATA"),
)
COMMANDS = {
    "run": ("run", *STUDY, "--out", "RUN"),
    "evaluate": ("evaluate", "RUN"),
    "report": ("report", "RUN"),
    "compare": ("compare", "RUN", ONE, OTHER),
    "verify": ("verify", "RUN", "--maps", "1", "--plugin", ONE, "--plugin", OTHER),
    "status": ("status", "RUN"),
}
UNFINISHED = ("not finished", "not computed", "missing  ")  # how cells of another study are told
SILENT, TRACEBACK = "used silently", "traceback"
BAD = (SILENT, TRACEBACK)


def half(path: Path, other: Path) -> None:
    if path.is_dir():
        for file in sorted(one for one in path.rglob("*") if one.is_file())[::2]:
            file.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def deleted(path: Path, other: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def directory(path: Path, other: Path) -> None:
    deleted(path, other)
    path.mkdir()


def swapped(path: Path, other: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        shutil.copytree(other, path)
    else:
        shutil.copyfile(other, path)


def swapped_with_checksums(path: Path, other: Path) -> None:
    swapped(path, other)
    for name in RECORDS:
        if not path.is_dir() and (other.parent / name).is_file():
            shutil.copyfile(other.parent / name, path.parent / name)


def link(path: Path, other: Path) -> None:
    deleted(path, other)
    path.symlink_to(other)


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "half": half,
    "deleted": deleted,
    "directory": directory,
    "swapped": swapped,
    "swapped with checksums": swapped_with_checksums,
    "link": link,
}


@dataclass(frozen=True)
class SoundRuns:
    """A finished run, one of another training seed, what their data are, and what each command leaves of the first."""

    run: Path
    second: Path
    data: Path
    left: Mapping[str, Mapping[str, bytes]]

    def outcome(self, kind: str, damage: str, command: str, place: Path) -> str:
        """What a command makes of one damaged file: `named`, `as before`, or one of `BAD`."""
        run = place / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.run, run, symlinks=True)
        path = next(run.glob(FILES[kind]), None)
        if path is None:
            return ""
        other = next(self.second.glob(FILES[kind].replace(ONE, OTHER)), None)
        if path.parent == run or kind.startswith("perfect"):
            other = next(self.second.glob(FILES[kind]))
        if other is None:  # noisy has no reconstruction of its own
            other = sorted(path.parent.glob("*"))[0]
        DAMAGES[damage](path, other)
        try:
            result = self.called(command, run)
        except Exception:  # a traceback, which the table is to show
            return TRACEBACK
        told = result.output + "\n".join(report_lines(run) - report_lines(self.run))
        folder = path.name if path.parent == run else path.relative_to(run).parts[1]
        if result.exit_code and (path.name in result.output or folder in result.output or str(run) in result.output):
            return "named"
        now, before = dict(leftovers(command, run, result)), dict(self.left[command])
        if path.parent == run and result.exit_code == 0:  # a table that was not read is still damaged
            now.pop(path.name, None), before.pop(path.name, None)
        if now == before:
            return "as before"
        return "named" if any(word in told for word in (path.name, folder, *UNFINISHED)) else SILENT

    def called(self, command: str, run: Path) -> Result:
        places = {"RUN": run, "DATA": self.data}
        return call(*(places.get(word, word) for word in COMMANDS[command]))


def report_lines(run: Path) -> set[str]:
    path = run / "report.md"
    return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()


def leftovers(command: str, run: Path, result: Result) -> dict[str, bytes]:
    """What a reader takes from a run after a command."""
    tables = ("rows.csv", "timing.csv", "summary.csv", "comparisons.csv", "report.md")
    found = {name: (run / name).read_bytes() for name in tables if (run / name).is_file()}
    if command in ("verify", "status", "compare"):
        found = {"said": result.output.replace(str(run), "RUN").encode()}
    return found


def sound_runs(place: Path, data: Path) -> SoundRuns:
    """Make the two runs below `place`."""
    words = [data if word == "DATA" else word for word in COMMANDS["run"]]
    run, second = place / "sound", place / "second"
    for out, seed in ((run, "0"), (second, "1")):
        made = call(*(out if word == "RUN" else word for word in words), "--seeds", seed)
        assert made.exit_code == 0, made.output
    left = {}
    for command in COMMANDS:
        shutil.rmtree(place / "run", ignore_errors=True)
        shutil.copytree(run, place / "run")
        result = SoundRuns(run, second, data, {}).called(command, place / "run")
        assert result.exit_code == 0, result.output
        left[command] = leftovers(command, place / "run", result)
    return SoundRuns(run, second, data, left)


def table(sound: SoundRuns, place: Path, commands: Sequence[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """By kind of file and damage what each command makes of it."""
    for kind in FILES:
        for damage in DAMAGES:
            yield kind, damage, {name: sound.outcome(kind, damage, name, place) for name in commands}


PAGE = """\
# Damaged runs

What each command makes of a finished run in which one file is damaged. *Named*: the file, or the folder whose record
does not fit it, is named with what mends it, and nothing is made of it. *As before*: it is not read, or made anew from
what is sound, and the tables are what they were. Made by `python tests/faults/damage_table.py`.

*Half*: the second half is cut off; of a folder every second file is gone. *Directory*: an empty folder stands in its
place. *Swapped*: in its place stands that of another method, or of a run of another seed; *with checksums*: so do the
digests beside it. *Link*: a link leads there.

"""


def main() -> None:
    here = Path(__file__).parents[1]
    sys.path[:0] = [str(here), str(here / "faults")]
    import conftest
    from cohorts import TINY, write_cohorts

    from datasets.grid import GRIDS

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Path(folder)
        metadata = place / "plugin" / "uadbench_tests-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Name: uadbench-tests\nVersion: 1.0\nSummary: Small detectors\n")
        (metadata / "entry_points.txt").write_text(conftest.ENTRY_POINTS)
        patch.syspath_prepend(place / "plugin")
        patch.setitem(GRIDS, "quick", TINY)
        patch.setenv("UADBENCH_CACHE", str(place / "cache"))
        write_cohorts(place / "data")
        commands = sys.argv[1:] or list(COMMANDS)
        lines = [f"| file | damage | {' | '.join(commands)} |", f"|---|---|{'---|' * len(commands)}"]
        for kind, damage, found in table(sound_runs(place, place / "data"), place, commands):
            if any(found.values()):
                lines.append(f"| {kind} | {damage} | {' | '.join(found.values())} |")
                print(lines[-1], flush=True)
    DOCS.write_text(PAGE + "\n".join(lines) + "\n", encoding="utf-8")
    bad = [line for line in lines if any(word in line for word in BAD)]
    print(f"{len(bad)} of {len(lines) - 2} lines hold what may not be.")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
