"""A leaderboard is a folder: add a verified run, and verify every entry again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.storage.folder import RunFolder
from benchmark.verification.leaderboard.entry import Entry, clashes, entries, faults, take
from benchmark.verification.leaderboard.release import has_release, read_release, release_of, write_release
from datasets.errors import BadValue


@dataclass(frozen=True)
class Verdict:
    """One entry, and the faults for which it is refused; none if it stands."""

    entry: Entry
    faults: tuple[str, ...]


def add(board: Path, run: RunFolder, name: str) -> Entry:
    """Add a verified run to a board; the first run creates the board, with a release for its data.

    Raises:
        BadValue: the run does not verify, or contradicts the release or an entry.
    """
    release = read_release(board)[0] if has_release(board) else release_of(run)
    candidate = Entry(run.root)
    problems = faults(candidate, release) or list(clashes(candidate, entries(board)))
    if problems:
        raise BadValue(f"{run.root} cannot stand on {board}: {'; '.join(problems)}.")
    board.mkdir(parents=True, exist_ok=True)
    entry = take(run, board, name)
    write_release(board, release.with_cohorts_of(run))
    return entry


def verdicts(board: Path) -> Iterator[Verdict]:
    """Verify every entry from the files of the board, in the order of their names.

    Raises:
        MissingData: the folder holds no board.
    """
    release, standing = read_release(board)[0], list[Entry]()
    for entry in entries(board):
        found = faults(entry, release) or list(clashes(entry, standing))
        standing += [] if found else [entry]
        yield Verdict(entry, tuple(found))
