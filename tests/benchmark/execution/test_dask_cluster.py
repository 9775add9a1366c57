"""The dask executor: the same rows bit for bit, also where a worker of the cluster is killed on the way."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import STUDY, Program, refused

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # what dask says of workers that are killed


@pytest.fixture
def cluster(elsewhere: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two workers on this machine, a process each, which find the tests' methods."""
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


@pytest.mark.timeout(900)
def test_a_worker_that_is_killed_is_replaced_and_the_rows_are_the_same(
    program: Program, plugin: object, data: Path, tmp_path: Path, cluster: Any
) -> None:
    inline, spread = tmp_path / "inline", tmp_path / "spread"
    command = ("run", *STUDY, "--data", data, "--out")
    assert program(*command, inline).exit_code == 0
    killed = list[int]()

    def kill_one_at_work() -> None:
        deadline = time.monotonic() + 600
        while not list(spread.glob("cells/*/maps/*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        victim = next(iter(cluster.workers.values())).pid
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill_one_at_work)
    killer.start()
    told = program(*command, spread, "--executor", "dask", "--dask", cluster.scheduler_address)
    killer.join()
    assert told.exit_code == 0, told.output
    assert killed
    assert (spread / "rows.csv").read_bytes() == (inline / "rows.csv").read_bytes()


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--executor", "dask"], "--dask: got no --dask ADDRESS"),
        (["--dask", "tcp://127.0.0.1:1"], "--dask: got --executor inline, expected --executor dask"),
        (["--executor", "dask", "--dask", "tcp://127.0.0.1:1"], "--dask: got 'tcp://127.0.0.1:1'"),
        (
            ["--executor", "dask", "--dask", "tcp://127.0.0.1:1", "--time-limit", "1"],
            "--time-limit: got --executor dask",
        ),
    ],
)
def test_a_scheduler_that_is_not_there_is_told_in_a_line(
    program: Program, data: Path, tmp_path: Path, options: list[str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.execution.dask_cluster.SECONDS_TO_ANSWER", 1)
    assert text in refused(program("run", *STUDY, "--data", data, "--out", tmp_path / "run", *options))
