"""Detectors that go wrong in a worker cost their own cells, and their neighbours come out as always."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from studies import read_table

pytestmark = pytest.mark.slow

# In the order of the grid a sound method comes last, so that it is made by workers that have seen all the others.
METHODS = '''
import os, signal, time
from dataclasses import dataclass

import torch
from benchmark.methods.detector import Detector


class Sound(Detector):
    """Brightness."""

    presets = {"quick": {}}

    def fit(self, train, val, *, seed, workdir):
        pass

    def anomaly_map(self, images, brain_masks, *, seeds):
        return images * brain_masks


class Hangs(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        while True:
            time.sleep(1)


class Crashes(Sound):
    def fit(self, train, val, *, seed, workdir):
        os.kill(os.getpid(), signal.SIGSEGV)


class Eats(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        eaten = [torch.empty(2**28) for _ in range(6)]  # a GiB at a time
        raise AssertionError(f"{len(eaten)} were given")


class Raises(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        raise ArithmeticError("no such number")


class Undefined(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        return images * torch.nan


class Negative(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        return images - 2


class Short(Sound):
    def anomaly_map(self, images, brain_masks, *, seeds):
        return images[..., 1:]


METHODS = {
    "hangs": Hangs, "crashes": Crashes, "eats": Eats, "raises": Raises, "undefined": Undefined,
    "negative": Negative, "short": Short, "sound": Sound,
}
'''
SAID = {
    "hangs": ("predict", "Not finished within 18 s"),
    "crashes": ("fit", "ended with signal 11"),
    "eats": ("predict", "can't allocate memory"),
    "raises": ("predict", "no such number"),
    "undefined": ("predict", "expected finite ones from 0 up"),
    "negative": ("predict", "expected finite ones from 0 up"),
    "short": ("predict", "got shape"),
}


@pytest.fixture
def command(data: Path, tmp_path: Path) -> list[str]:
    plugin = tmp_path / "methods.py"
    plugin.write_text(METHODS)
    command = [sys.executable, "-m", "benchmark", "run", "--preset", "quick", "--data", str(data), "--pictures", ""]
    return [*command, "--plugin", str(plugin), "--datasets", "volunteers", "--limit", "1"]


@pytest.mark.timeout(300)
def test_each_way_to_go_wrong_costs_its_own_cells(
    command: list[str], tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    local = ["--executor", "local", "--workers", "2", "--time-limit", "0.3", "--memory-limit", "4"]
    methods = ",".join([*SAID, "sound"])
    done = subprocess.run(
        [*command, *local, "--methods", methods, "--out", "run"],
        cwd=tmp_path,
        env=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "7 cells failed" in done.stderr
    for method, (stage, text) in SAID.items():
        records = [json.loads(path.read_text()) for path in tmp_path.glob(f"run/cells/{method}-*/cell.json")]
        assert [record.get("stage") for record in records] == [stage], method
        assert all(text in record["traceback"] for record in records), records[0]["traceback"]
    assert {row["method"] for row in read_table(tmp_path / "run" / "rows.csv")} == {"sound"}
    subprocess.run(
        [*command, "--methods", "sound", "--out", "alone"], cwd=tmp_path, env=elsewhere, check=True, capture_output=True
    )
    assert (tmp_path / "run" / "rows.csv").read_bytes() == (tmp_path / "alone" / "rows.csv").read_bytes()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_workers_too_and_the_exit_code_tells_it(
    command: list[str], tmp_path: Path, elsewhere: dict[str, str], number: signal.Signals
) -> None:
    local = ["--executor", "local", "--workers", "1", "--methods", "hangs", "--out", "run"]
    with subprocess.Popen(
        [*command, *local], cwd=tmp_path, env=elsewhere, stderr=subprocess.PIPE, text=True
    ) as process:
        owner = wait_for_owner(tmp_path / "run" / ".locks", "hangs-volunteers*")
        process.send_signal(number)
        _, told = process.communicate()
    assert process.returncode == 128 + number
    assert told.splitlines()[-1].startswith(f"Ended by {number.name}: what is done is kept")
    with pytest.raises(ProcessLookupError):
        os.kill(owner, 0)
    assert not list(tmp_path.glob("run/cells/*/cell.json"))


def wait_for_owner(locks: Path, name: str) -> int:
    """The process that holds a lock, once one does."""
    while True:
        for path in locks.glob(f"{name}.lock"):
            if text := path.read_text():
                return int(json.loads(text)["pid"])
        time.sleep(0.05)


@pytest.mark.timeout(120)
def test_a_run_whose_words_nobody_reads_is_finished(
    command: list[str], tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    """As in `python -m benchmark run ... | head -1`."""
    asked = [*command, "--methods", "sound", "--out", "run"]
    with subprocess.Popen(
        asked, cwd=tmp_path, env=elsewhere, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        complaints = running.stderr.read().decode()
    assert running.returncode == 0, complaints
    assert {row["method"] for row in read_table(tmp_path / "run" / "rows.csv")} == {"sound"}
