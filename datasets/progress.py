"""Bars of progress with the time that is left: on a terminal, never in a file or a pipe."""

from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any, TypeVar

from tqdm import tqdm

tqdm.set_lock(RLock())  # its own is a semaphore of the system, which a process that is killed leaves behind

T = TypeVar("T")


def bar(what: str, total: int | None = None, **further: Any) -> "tqdm[Any]":
    """A bar on stderr, as wide as the terminal; where stderr is none, it shows nothing.

    Args:
        further: as tqdm takes it.
    """
    return tqdm(desc=what, total=total, disable=None, dynamic_ncols=True, **further)


def watched(things: Iterable[T], what: str, total: int | None = None, *, unit: str = "cases") -> Iterator[T]:
    """The same things; a bar counts them and goes when they end.

    Args:
        total: how many there are, where they do not know.
    """
    yield from bar(what, total, iterable=things, leave=False, unit=f" {unit}")
