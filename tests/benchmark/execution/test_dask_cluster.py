"""The dask executor: the same rows bit for bit, also where a worker of the cluster is killed on the way."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import STUDY, Program, refused

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def cluster(elsewhere: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two workers on this machine, a process each, which find the tests' methods."""
    distributed = pytest.importorskip("distributed")
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # what dask says of workers that are killed
@pytest.mark.usefixtures("plugin", "no_report")
def test_a_worker_that_is_killed_is_replaced_and_the_rows_are_the_same(
    program: Program, data: Path, tmp_path: Path, cluster: Any
) -> None:
    command, spread = ("run", *STUDY, "--data", data, "--out"), tmp_path / "spread"
    assert program(*command, tmp_path / "inline").exit_code == 0
    before = {worker.pid for worker in cluster.workers.values()}

    def kill_one_at_work() -> None:
        deadline = time.monotonic() + 600
        while not list(spread.glob("cells/*/maps/*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(min(before), signal.SIGKILL)

    killer = threading.Thread(target=kill_one_at_work)
    killer.start()
    told = program(*command, spread, "--executor", "dask", "--dask", cluster.scheduler_address)
    killer.join()
    assert told.exit_code == 0, told.output
    assert (spread / "rows.csv").read_bytes() == (tmp_path / "inline" / "rows.csv").read_bytes()
    assert min(before) not in {worker.pid for worker in cluster.workers.values()}


@pytest.mark.usefixtures("plugin")
def test_a_scheduler_that_is_not_there_is_told_in_a_line(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("benchmark.execution.dask_cluster.SECONDS_TO_ANSWER", 1)
    line = refused(program("run", *STUDY, "--data", data, "--out", tmp_path / "run", *to(NOWHERE)))
    assert line.startswith(f"Error: --dask: got '{NOWHERE}'")
    assert "expected the address" in line


@pytest.mark.usefixtures("plugin")
def test_without_dask_the_command_says_what_to_install(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    line = refused(program("run", *STUDY, "--data", data, "--out", tmp_path / "run", *to(NOWHERE)))
    assert "pip install 'uadbench[dask]'" in line


def to(scheduler: str) -> list[str]:
    return ["--executor", "dask", "--dask", scheduler]
