"""CPU seconds of a report of many methods, summaries and page, from rows alone."""

import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from runs_by_hand import write_people, write_run

from benchmark.analysis.summaries.make import summarise
from reports.document import compose
from reports.formats.registry import write_document


@pytest.mark.usefixtures("plugin")
def test_a_report_of_60_methods_is_made_in_a_minute(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    run = write_run(tmp_path / "run", means={f"method{place}": 0.6 - place / 200 for place in range(60)})

    def made() -> float:
        begin = time.process_time()
        summarise(run, tmp_path / "data")
        write_document(compose(run, None, pictures=[]), "html")
        return time.process_time() - begin

    seconds = benchmark.pedantic(made, rounds=1)
    benchmark.extra_info |= {"seconds": seconds}
    assert seconds < 60
