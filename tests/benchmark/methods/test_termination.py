"""The second Ctrl-C kills, and signals that are ignored stay ignored."""

import signal
import subprocess
import sys

import pytest

from benchmark.methods.termination import Terminated, termination_is_an_exception

TWICE = """
import signal
from benchmark.methods.termination import postponed_termination, termination_is_an_exception
with termination_is_an_exception(), postponed_termination() as arrived:
    signal.raise_signal(signal.SIGINT)
    assert arrived()
    print("goes on", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("goes on", flush=True)
"""


def test_a_second_ctrl_c_kills() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stdout == "goes on\n"


def test_a_signal_that_was_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with termination_is_an_exception():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(Terminated):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)
