"""Bars of progress with the time that is left: on a terminal, never in a file or a pipe."""

from collections.abc import Iterable, Iterator
from threading import RLock
from typing import TypeVar

from tqdm import tqdm

tqdm.set_lock(RLock())  # its own is a semaphore of the system, which a process that is killed leaves behind

T = TypeVar("T")


def watched(things: Iterable[T], what: str, total: int | None = None, *, unit: str = "cases") -> Iterator[T]:
    """The same things; a bar on stderr counts them, where that is a terminal, and goes when they end.

    Args:
        total: how many there are, where they do not know.
    """
    bar = tqdm(things, what, total, disable=None, leave=False, dynamic_ncols=True, unit=f" {unit}")
    yield from bar
