"""kill -9 at random moments, and several processes at once: nothing is torn, lost, or done twice."""

import csv
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from interruption import InterruptibleStudy, UninterruptedRun
from safetensors.numpy import load_file
from studies import stamps

from benchmark.storage.maps import read_volume
from benchmark.storage.rows import COLUMNS
from datasets.io.atomic import read_json

pytestmark = pytest.mark.slow
KILLS = 100


@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_moment_is_finished_by_the_next(
    study: InterruptibleStudy, uninterrupted: UninterruptedRun, tmp_path: Path
) -> None:
    chance, killed = random.Random(7), 0
    for trial in range(5 * KILLS):
        study.log.unlink(missing_ok=True)
        out = tmp_path / f"trial-{trial}"
        if not study.kill_within(out, uninterrupted.seconds, chance):
            continue  # it had ended by then
        killed += 1
        check_whole(out)
        finished = stamps_of_finished(out)
        study.run(out)
        assert (out / "rows.csv").read_bytes() == uninterrupted.rows, f"killed in trial {trial}"
        assert finished.items() <= stamps_of_finished(out).items(), "what was finished was made again"
        assert set(study.times_done().values()) == {1}, "a fit or cell was finished twice"
        assert not left_over(out)
        if killed == KILLS:
            return
    pytest.fail(f"{killed} of {5 * KILLS} were killed before they ended, expected {KILLS}")


def test_one_run_killed_over_and_over_comes_to_the_same(
    study: InterruptibleStudy, uninterrupted: UninterruptedRun, tmp_path: Path
) -> None:
    chance, out = random.Random(8), tmp_path / "run"
    killed = sum(study.kill_within(out, uninterrupted.seconds / 2, chance) for _ in range(4))
    assert killed
    study.run(out)
    assert (out / "rows.csv").read_bytes() == uninterrupted.rows
    assert set(study.times_done().values()) == {1}


@pytest.mark.timeout(300)
def test_eight_processes_in_one_folder_do_every_cell_once(
    study: InterruptibleStudy, uninterrupted: UninterruptedRun, tmp_path: Path
) -> None:
    out = tmp_path / "shared"
    together = [study.process(out) for _ in range(8)]
    for one in together:
        one.go()
    assert [one.end() for one in together] == [0] * 8
    assert (out / "rows.csv").read_bytes() == uninterrupted.rows
    assert set(study.times_done().values()) == {1}
    assert len(study.times_done()) == 4 * 3 + 3  # cells, and fits that are trained


def test_others_finish_what_a_killed_process_was_at(
    study: InterruptibleStudy, uninterrupted: UninterruptedRun, tmp_path: Path
) -> None:
    out, chance = tmp_path / "shared", random.Random(9)
    together = [study.process(out) for _ in range(4)]
    for one in together:
        one.go()
    for one in together[:2]:
        one.process.join(chance.uniform(0, uninterrupted.seconds))
        one.process.kill()
    assert [one.end() for one in together[2:]] == [0, 0]
    assert (out / "rows.csv").read_bytes() == uninterrupted.rows


def test_a_killed_program_leaves_what_another_finishes(data: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    hold = tmp_path / "hold"
    command = [sys.executable, "-m", "benchmark", "run", "--preset", "quick", "--data", str(data), "--pictures", ""]
    command += ["--methods", f"held[file='{hold}']", "--datasets", "patients", "--out"]
    hold.touch()
    with subprocess.Popen([*command, "killed"], cwd=tmp_path, env=elsewhere, stdout=subprocess.DEVNULL) as process:
        wait_for_maps(tmp_path / "killed", "patients-*", process)
        process.send_signal(signal.SIGKILL)
    hold.unlink()
    mapped = stamps(tmp_path / "killed", "maps/volunteers*")
    assert len(mapped) == 5
    for out in ("killed", "undisturbed"):
        subprocess.run([*command, out], cwd=tmp_path, env=elsewhere, check=True, stdout=subprocess.DEVNULL)
    assert stamps(tmp_path / "killed", "maps/volunteers*") == mapped
    assert (tmp_path / "killed/rows.csv").read_bytes() == (tmp_path / "undisturbed/rows.csv").read_bytes()


def wait_for_maps(out: Path, names: str, process: "subprocess.Popen[bytes]") -> None:
    while not list(out.glob(f"cells/*/maps/{names}")):
        assert process.poll() is None, f"ended with {process.returncode} before it mapped {names}"
        time.sleep(0.05)


def check_whole(out: Path) -> None:
    """Whatever has its final name can be read to its end."""
    for path in visible(out):
        if path.name.endswith(".json"):
            if path.name != "training.json":
                read_json(path)
        elif path.name.endswith(".nii.gz"):
            read_volume(path)
        elif path.suffix == ".safetensors":
            load_file(path)
        elif path.suffix == ".csv" and "log" not in path.parts:
            assert path.read_text().endswith("\n")
            with path.open(newline="") as stream:
                lengths = {len(row) for row in csv.reader(stream)}
            assert len(lengths) == 1
            assert path.name not in ("rows.csv", "timing.csv") or lengths == {len(COLUMNS)}


def visible(out: Path) -> Iterator[Path]:
    for path in sorted(out.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(out).parts):
            yield path


def stamps_of_finished(out: Path) -> dict[str, int]:
    """When the maps of cells, and the weights of fits, that are finished were written."""
    found: dict[str, int] = {}
    for record in (*out.glob("fits/*/fit.json"), *out.glob("cells/*/cell.json")):
        folder = record.parent
        found |= {f"{folder.name}/{name}": time for name, time in stamps(folder, "*.nii.gz").items()}
        found |= {f"{folder.name}/{name}": time for name, time in stamps(folder, "weights.safetensors").items()}
    return found


def left_over(out: Path) -> list[Path]:
    """Files that killed processes had not finished, in folders that are in use again."""
    places = [out, *out.glob("cells/*"), *out.glob("fits/*"), *out.glob("cells/*/maps")]
    return [path for place in places for path in place.glob(".*") if path.is_file()]
