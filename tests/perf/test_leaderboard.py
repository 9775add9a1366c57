"""CPU seconds of a leaderboard's site: what each further entry adds, so that fifty build in well under a minute."""

import time
from pathlib import Path

import pytest
from board_by_hand import write_board
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.commands.leaderboard import build

FEW, MORE = 3, 9
MOST_SECONDS = 0.4  # of an entry of 30,000 rows, few pairs of methods among them


@pytest.mark.usefixtures("plugin")
def test_each_further_entry_of_30_000_rows_costs_under_half_a_second(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    def seconds(entries: int) -> float:
        board = tmp_path / str(entries)
        assert write_board(board, entries) > 28_000 * entries
        begin = time.process_time()
        build(board)
        return time.process_time() - begin

    few = seconds(FEW)
    more = benchmark.pedantic(seconds, (MORE,), rounds=1)
    benchmark.extra_info |= {"few": few, "more": more}
    assert (more - few) / (MORE - FEW) <= MOST_SECONDS
