"""A leaderboard is a folder: verify and add a run, and look at every entry again."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.storage.folder import check_tree, open_run
from benchmark.storage.run_record import reopen
from benchmark.verification.leaderboard.entry import (
    NAME,
    Attestation,
    Entry,
    Standing,
    Status,
    entries,
    faults,
    new_entry,
    scans_of,
    take,
)
from benchmark.verification.leaderboard.federation import distrusted, is_signed, receive, trusted
from benchmark.verification.leaderboard.release import has_release, read_release, release_of, write_release
from benchmark.verification.verify import NOT_HELD, Check, verify_run
from datasets.errors import BadValue, one_line

if TYPE_CHECKING:
    from benchmark.verification.remap import Sample

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """One entry, and the faults for which it is refused; none if it stands."""

    entry: Entry
    faults: tuple[str, ...]


def add(
    board: Path,
    folder: Path,
    name: str,
    data: Path | None,
    *,
    sample: "Sample",
    device: str,
    plugins: Sequence[str] = (),
) -> Entry:
    """Verify a run and add it to a board; the first run creates the board, with a release for its data.

    A run whose cohorts are not here is added as self-reported, an entry that a trusted site has signed as attested;
    whatever else does not verify is refused.

    Args:
        data, sample, device, plugins: see `verify_run`.

    Raises:
        BadValue: the run does not verify, or contradicts the release or an entry.
    """
    if not NAME.fullmatch(name):
        raise BadValue(f"--name: got '{name}', expected letters, digits, '_', '.', '=' and '-', at most 100.")
    new_entry(board, name)
    if is_signed(folder):
        return receive(board, folder, name, _standing(board))
    check_tree(folder)
    run = open_run(folder)
    release = read_release(board)[0] if has_release(board) else release_of(run)
    candidate = Entry(folder)
    problems = faults(candidate, release) or list(_standing(board).clashes(candidate))
    checks = [] if problems else list(verify_run(run, data, sample=sample, device=device, plugins=plugins))
    held = not any(check.looked_at == NOT_HELD for check in checks)
    problems += [_told(check) for check in checks if check.faults and (held or check.name != "data")]
    if problems:
        raise BadValue(f"{folder} cannot stand on {board}: {'; '.join(problems)}.")
    board.mkdir(parents=True, exist_ok=True)
    status: Status = "verified" if held else "self-reported"
    scans = scans_of(reopen(run, data)) if held else {}
    entry = take(run, board, name, Attestation(status, sample.seed, tuple(checks)), scans)
    write_release(board, release.with_cohorts_of(run))
    return entry


def verdicts(board: Path) -> Iterator[Verdict]:
    """Look at every entry again, from the files of the board, in the order of their names.

    Raises:
        MissingData: the folder holds no board.
    """
    release, standing, sites = read_release(board)[0], Standing(), trusted(board)
    for entry in entries(board):
        try:
            check_tree(entry.folder)
            found = entry.unattested() or distrusted(entry, sites) or faults(entry, release)
            found = found or list(standing.clashes(entry, entry.attestation.site))
        except Exception as error:  # whatever a stranger's files raise costs this entry alone
            found = [f"cannot be read: {one_line(error)}"]
        if not found:
            standing.add(entry)
            entry.forget_rows()
        yield Verdict(entry, tuple(found))


def _standing(board: Path) -> Standing:
    standing = Standing()
    for entry in entries(board):
        try:
            standing.add(entry)
        except Exception as error:  # what does not verify costs no other
            log.warning("%s is not compared with: %s", entry.folder, one_line(error))
    return standing


def _told(check: Check) -> str:
    more = f" and {len(check.faults) - 1} more" if len(check.faults) > 1 else ""
    return f"did not verify: {check.name} ({check.faults[0]}{more})"
