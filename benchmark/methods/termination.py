"""Termination by SIGTERM, which schedulers send before a time limit: a fit saves its state, then the process ends."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM arrived; not an Exception, so that it is never taken for a failure of a method."""


class _Request:
    """Whether SIGTERM has arrived, and how many blocks postpone the exception."""

    arrived = False
    postponed = 0


@contextmanager
def termination_is_an_exception() -> Iterator[None]:
    """SIGTERM raises Terminated inside the block, unless a `postponed_termination` inside it handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _on_signal)
    try:
        yield
    finally:
        _Request.arrived = False
        signal.signal(signal.SIGTERM, before)


@contextmanager
def postponed_termination() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGTERM has arrived; the caller then saves its state and raises Terminated."""
    _Request.postponed += 1
    try:
        yield lambda: _Request.arrived
    finally:
        _Request.postponed -= 1


def _on_signal(number: int, frame: FrameType | None) -> None:
    _Request.arrived = True
    if not _Request.postponed:
        raise Terminated
