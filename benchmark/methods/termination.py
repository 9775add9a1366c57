"""SIGTERM, as a scheduler sends it before its time limit: a fit saves where it is, and the process exits with 143."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(BaseException):
    """The process was asked to end; no Exception, so that nothing takes it for a failure of a method."""


class _Wish:
    """Whether this process is to end, and whether it is in the middle of what has to be brought to a state first."""

    asked = False
    postponed = 0


@contextmanager
def termination_is_an_exception() -> Iterator[None]:
    """SIGTERM raises Terminated within the block, or ends a `postponed_termination` within it early."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _on_signal)
    try:
        yield
    finally:
        _Wish.asked = False
        signal.signal(signal.SIGTERM, before)


@contextmanager
def postponed_termination() -> Iterator[Callable[[], bool]]:
    """A question: is the process to end? Whoever asks saves its state and raises Terminated."""
    _Wish.postponed += 1
    try:
        yield lambda: _Wish.asked
    finally:
        _Wish.postponed -= 1


def _on_signal(number: int, frame: FrameType | None) -> None:
    _Wish.asked = True
    if not _Wish.postponed:
        raise Terminated
