"""Termination by SIGTERM, as schedulers send it, Ctrl-C or a lost terminal: a fit saves its state, then all ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Terminated(BaseException):
    """One of `SIGNALS` arrived; not an Exception, so that it is never taken for a failure of a method."""

    def __init__(self) -> None:
        super().__init__()
        self.signal = _Request.arrived or signal.SIGTERM


class _Request:
    """Which signal has arrived, and how many blocks postpone the exception."""

    arrived: signal.Signals | None = None
    postponed = 0


@contextmanager
def termination_is_an_exception() -> Iterator[None]:
    """A signal raises Terminated inside the block, unless a `postponed_termination` inside it handles it.

    Signals that this process was started to ignore, as under nohup, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, _on_signal) for one in heard}
    try:
        yield
    finally:
        _Request.arrived = None
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def postponed_termination() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a signal has arrived; the caller then saves its state and raises Terminated.

    A second Ctrl-C ends the process at once.
    """
    _Request.postponed += 1
    try:
        yield lambda: _Request.arrived is not None
    finally:
        _Request.postponed -= 1


def _on_signal(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT and _Request.arrived == signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    _Request.arrived = signal.Signals(number)
    if not _Request.postponed:
        raise Terminated
