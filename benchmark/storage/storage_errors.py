"""Storage errors (disk full, read-only): stop the run; do not mark the method as failed."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.errors import UserError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ESTALE)
# Some libraries turn the error of the system into text: safetensors writes "(os error 28)".
OS_ERROR = re.compile(r"os error (\d+)")
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # all that NumPy says of it
WRITER_FAILED = "PytorchStreamWriter failed"


class StorageError(UserError):
    """Nothing more can be written; what has been written is intact."""


@contextmanager
def as_storage_error(root: Path) -> Iterator[None]:
    """Turn errors of the disk into StorageError; pass on any other error.

    Raises:
        StorageError: nothing can be written below `root`.
    """
    try:
        yield
    except Exception as error:
        reason = storage_problem(error)
        if reason is None:
            raise
        raise storage_error(root, reason) from error


def storage_error(root: Path, reason: str) -> StorageError:
    return StorageError(
        f"{root} cannot be written: {reason}. What is done is kept; the same command resumes with the rest."
    )


def storage_problem(error: BaseException | None) -> str | None:
    """What the system says about the disk, if a disk error is behind `error`; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return os.strerror(error.errno)
        found = OS_ERROR.search(str(error))
        if found and int(found[1]) in DISK_ERRORS:
            return os.strerror(int(found[1]))
        if isinstance(error, OSError) and SHORT_WRITE.fullmatch(str(error)):
            return "a file could not be written whole, as on a full disk"
        if WRITER_FAILED in str(error):
            return "a checkpoint could not be written whole"
        error = error.__cause__ or error.__context__
    return None
