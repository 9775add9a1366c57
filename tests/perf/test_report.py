"""CPU seconds and memory of a report and of a comparison in runs of many methods, from rows alone."""

import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from comparisons import CHOICE, ENDPOINT, panel
from pytest_benchmark.fixture import BenchmarkFixture
from runs_by_hand import write_people, write_run

from benchmark.analysis.summaries.make import summarise
from benchmark.statistics.pairwise.paired_difference import compare_all
from benchmark.statistics.panel import QUESTIONS
from benchmark.storage.folder import RunFolder
from reports.document import compose
from reports.formats.registry import write_document

FEW, MORE = 20, 120


def _run(folder: Path, methods: int) -> RunFolder:
    write_people(folder / "data")
    return write_run(folder / "run", means={f"method{place}": 0.6 - 0.3 * place / methods for place in range(methods)})


@pytest.mark.usefixtures("plugin")
def test_a_report_of_60_methods_is_made_in_half_a_minute(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    run = _run(tmp_path, 60)

    def made() -> float:
        begin = time.process_time()
        summarise(run, tmp_path / "data")
        write_document(compose(run, None, pictures=[]), "html")
        return time.process_time() - begin

    seconds = benchmark.pedantic(made, rounds=1)
    benchmark.extra_info |= {"seconds": seconds}
    assert seconds < 30


def test_a_pair_of_many_methods_costs_no_more_than_one_of_few(benchmark: BenchmarkFixture) -> None:
    """Otherwise 200 methods, of which there are 19,900 pairs, take no four minutes but an hour."""
    rng = np.random.default_rng(0)
    patients = rng.normal(0.5, 0.1, (30, 1))
    panels = {f"m{place}": panel(f"m{place}", patients + rng.normal(0, 0.02, (30, 3))) for place in range(MORE)}

    def milliseconds(methods: int) -> float:
        begin = time.process_time()
        for question in QUESTIONS:
            compare_all(dict(list(panels.items())[:methods]), CHOICE, question, ENDPOINT)
        return 1000 * (time.process_time() - begin) / len([*combinations(range(methods), 2)])

    milliseconds(2)  # imports, and what is kept for the next
    few = milliseconds(FEW)
    more = benchmark.pedantic(milliseconds, (MORE,), rounds=1)
    benchmark.extra_info |= {"few": few, "more": more}
    assert more < 1.5 * few


COMPARED = """
import sys, time
from pathlib import Path
from benchmark.api.comparison import compare
compare(sys.argv[1], "method3", "method7")
(most,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(time.process_time(), int(most.split()[1]) / 1024)
"""
"""Not by `ru_maxrss`, which of a new process begins at what its parent held."""


@pytest.mark.usefixtures("plugin")
@pytest.mark.skipif(sys.platform != "linux", reason="no /proc/self/status")
def test_two_of_50_methods_are_compared_in_ten_seconds_and_300_megabytes(
    benchmark: BenchmarkFixture, tmp_path: Path, elsewhere: Mapping[str, str]
) -> None:
    run = _run(tmp_path, 50)
    summarise(run, tmp_path / "data")

    def compared() -> tuple[float, float]:
        command = [sys.executable, "-c", COMPARED, str(run.root)]
        found = subprocess.run(command, env=dict(elsewhere), capture_output=True, text=True, check=True)
        seconds, megabytes = map(float, found.stdout.split())
        return seconds, megabytes

    seconds, megabytes = benchmark.pedantic(compared, rounds=1)
    benchmark.extra_info |= {"seconds": seconds, "megabytes": megabytes}
    assert seconds < 10
    assert megabytes < 300
