"""Which task the supervisor of workers blames when one has ended."""

import subprocess
import time
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace

import pytest

from benchmark.execution.local import WorkerFailure, _Supervisor, _Worker


@pytest.fixture
def blamed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Filled with the tasks that are blamed, and why; a new worker takes the place of each that has ended."""
    found: dict[str, str] = {}
    monkeypatch.setattr(_Supervisor, "_blame", lambda self, task, reason, stderr: found.update({task.name: reason}))
    monkeypatch.setattr(_Supervisor, "_start_worker", lambda self, number: "new")
    return found


def part(monkeypatch: pytest.MonkeyPatch, at: str, slow: str | None) -> list[object]:
    """The workers after one was killed that was at a task, and had been too slow at one."""
    tasks = {name: SimpleNamespace(name=name) for name in ("first", "second")}
    monkeypatch.setattr(_Supervisor, "_held", lambda self, pid, task: task.name == at)
    supervisor = _Supervisor(None, SimpleNamespace(task_seconds=9.0), list(tasks.values()))  # type: ignore[arg-type]
    process = SimpleNamespace(returncode=-9, pid=2**22)  # beyond what Linux gives
    supervisor._reap(_Worker(0, process, TemporaryFile(), tasks.get(slow or "")))  # type: ignore[arg-type]  # noqa: SIM115
    return list(supervisor.workers)


def test_a_task_that_is_too_slow_is_blamed_for_it(monkeypatch: pytest.MonkeyPatch, blamed: dict[str, str]) -> None:
    assert part(monkeypatch, at="first", slow="first") == ["new"]
    assert blamed == {"first": "Not finished within 9 s; its worker was killed."}


@pytest.mark.parametrize("at", ["second", "none"])
def test_a_task_that_ended_just_in_time_costs_neither_the_next_nor_the_run(
    monkeypatch: pytest.MonkeyPatch, blamed: dict[str, str], at: str
) -> None:
    assert part(monkeypatch, at=at, slow="first") == ["new"]
    assert not blamed


def test_a_task_whose_process_was_killed_is_blamed(monkeypatch: pytest.MonkeyPatch, blamed: dict[str, str]) -> None:
    assert part(monkeypatch, at="second", slow=None) == ["new"]
    assert blamed == {"second": "Its worker ended with signal 9."}


def test_a_worker_that_ended_before_any_task_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, blamed: dict[str, str]
) -> None:
    with pytest.raises(WorkerFailure, match="before its first task"):
        part(monkeypatch, at="none", slow=None)


@pytest.mark.parametrize("how", ["killed", "reaped"])
def test_what_a_worker_has_started_ends_with_it(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    script = "sleep 600 & echo $!; " + ("wait" if how == "killed" else "exit 0")
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    with TemporaryFile() as errors:
        worker = _Worker(0, process, errors)
        if how == "killed":
            worker.kill()
            process.wait()
        else:
            process.wait()
            _Supervisor(None, SimpleNamespace(), [])._reap(worker)  # type: ignore[arg-type]
    process.stdout.close()
    end = time.monotonic() + 10
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    state = Path(f"/proc/{pid}/stat")
    return state.is_file() and state.read_text().rpartition(")")[2].split()[0] != "Z"
