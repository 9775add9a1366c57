"""Locks of another user, whose files may not be read here."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import last_owner, owner, owners, try_lock

NOBODY = 65534


def as_another_user(check: Callable[[], bool]) -> bool:
    """The outcome of a check in a process whose user may do no more than others; a test may run as root."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(NOBODY)
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user may look into."""
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == tmp_path.owner() and path.stat().st_mode & 0o755 != 0o755:
            path.chmod(0o755)
    return tmp_path


def test_a_lock_that_may_not_be_read_is_left_out_and_stops_nothing(open_folder: Path) -> None:
    run = RunFolder(open_folder)
    with try_lock(run, "theirs"), try_lock(run, "ours"):
        (run.root / ".locks" / "theirs.lock").chmod(0)
        (run.root / ".locks" / "ours.lock").chmod(0o644)
        assert as_another_user(lambda: owner(run, "theirs") is None and last_owner(run, "theirs") is None)
        assert as_another_user(lambda: list(owners(run)) == ["ours"])
