"""Trouble with the place where a run is kept, which no method can be blamed for."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.errors import UserError

TROUBLES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ESTALE)
# Where a library has made a text of the system's error: safetensors writes "(os error 28)".
TOLD = re.compile(r"os error (\d+)")
WRITER_FAILED = "PytorchStreamWriter failed"


class StorageError(UserError):
    """Nothing more can be written; what is kept stays whole."""


@contextmanager
def as_storage_error(root: Path) -> Iterator[None]:
    """Errors that say that nothing can be written below `root` become StorageError.

    Raises:
        StorageError: for these; any other error as it is.
    """
    try:
        yield
    except Exception as error:
        reason = storage_problem(error)
        if reason is None:
            raise
        raise StorageError(
            f"{root} cannot be written: {reason}. What is done is kept; the same command goes on with the rest."
        ) from error


def storage_problem(error: BaseException | None) -> str | None:
    """What the system said of the disk, if that is what an error comes from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in TROUBLES:
            return os.strerror(error.errno)
        told = TOLD.search(str(error))
        if told and int(told[1]) in TROUBLES:
            return os.strerror(int(told[1]))
        if WRITER_FAILED in str(error):
            return "a checkpoint could not be written whole"
        error = error.__cause__ or error.__context__
    return None
