"""A board as a folder: a run is added where it verifies, and what stands there is verified again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.storage.folder import RunFolder
from benchmark.verification.leaderboard.entry import Entry, clashes, entries, faults, take
from benchmark.verification.leaderboard.release import has_release, read_release, release_of, write_release
from datasets.errors import BadValue


@dataclass(frozen=True)
class Verdict:
    """One entry, and why it may not stand on its board: nothing where it may."""

    entry: Entry
    faults: tuple[str, ...]


def add(board: Path, run: RunFolder, name: str) -> Entry:
    """Enter a verified run; where there is no board its data make the release of a new one.

    Raises:
        BadValue: the run does not verify, or its numbers may not stand beside those of the board.
    """
    release = read_release(board)[0] if has_release(board) else release_of(run)
    candidate = Entry(run.root)
    doubts = faults(candidate, release) or list(clashes(candidate, entries(board)))
    if doubts:
        raise BadValue(f"{run.root} cannot stand on {board}: {'; '.join(doubts)}.")
    board.mkdir(parents=True, exist_ok=True)
    entry = take(run, board, name)
    write_release(board, release.with_cohorts_of(run))
    return entry


def verdicts(board: Path) -> Iterator[Verdict]:
    """Every entry verified from the files that the board keeps, in the order of their names.

    Raises:
        MissingData: the folder is no board.
    """
    release, standing = read_release(board)[0], list[Entry]()
    for entry in entries(board):
        found = faults(entry, release) or list(clashes(entry, standing))
        standing += [] if found else [entry]
        yield Verdict(entry, tuple(found))
