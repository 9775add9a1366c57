"""The GPU bench without a GPU: it resumes, ends in time and reads nothing that a CUDA graph has overwritten."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import on_gpu
import pytest
from torch import Tensor, nn

from benchmark.inference.predict import predict
from benchmark.inference.settings import Inference
from benchmark.storage.rows import Row, blank_row, kept_rows

LONG = 1000.0  # s, more than any part here takes


@pytest.fixture
def bench(tmp_path: Path) -> on_gpu.Bench:
    return on_gpu.Bench(tmp_path / "scratch", tmp_path / "log.txt", "cpu", "quick")


@pytest.fixture
def one_row(bench: on_gpu.Bench) -> list[Row]:
    return [replace(blank_row(bench.cell("ae")), metric="passed", value=1.0)]


def test_a_call_that_is_ended_midway_leaves_what_was_complete_and_the_next_makes_the_rest(
    tmp_path: Path, one_row: list[Row]
) -> None:
    table, made = tmp_path / "rows.csv", list[str]()

    def part(name: str) -> Callable[[], list[Row]]:
        def measured() -> list[Row]:
            made.append(name)
            if made == ["first", "second"]:
                raise KeyboardInterrupt
            return one_row

        return measured

    parts = {name: part(name) for name in ("first", "second", "third")}
    with pytest.raises(KeyboardInterrupt):
        on_gpu.make(parts, table, tmp_path / "log.txt", LONG)
    assert [row.flags for row in kept_rows(table)] == ["first"]
    rows = on_gpu.make(parts, table, tmp_path / "log.txt", LONG)
    assert made == ["first", "second", "second", "third"]
    assert [row.flags for row in rows] == [row.flags for row in kept_rows(table)] == ["first", "second", "third"]


def test_a_part_that_fails_or_takes_too_long_costs_itself(
    tmp_path: Path, one_row: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> list[Row]:
        raise ArithmeticError("of this part")

    def takes_too_long() -> list[Row]:
        time.sleep(LONG)
        return one_row

    monkeypatch.setattr(on_gpu, "SHORTEST", 0.1)
    parts = {"fails": fails, "well": lambda: one_row, "long": takes_too_long, "late": lambda: one_row}
    begin = time.monotonic()
    rows = on_gpu.make(parts, tmp_path / "rows.csv", tmp_path / "log.txt", 5.0)
    assert time.monotonic() - begin < LONG / 10
    assert [row.flags for row in rows] == ["well"]
    told = (tmp_path / "log.txt").read_text()
    assert "ArithmeticError: of this part" in told
    assert "TimeoutError" in told


class Graphs:
    """In place of CUDA graphs: whatever one has returned is overwritten when any is replayed."""

    def __init__(self) -> None:
        self.returned = list[Tensor]()

    def compile(self, network: nn.Module, **_: object) -> None:
        def replay(*arguments: Tensor, **named: Tensor) -> Tensor:
            result: Tensor = network._call_impl(*arguments, **named)
            for one in self.returned:
                one.fill_(nan)
            self.returned.append(result)
            return result

        network._compiled_call_impl = replay


def test_maps_of_replayed_networks_hold_nothing_that_a_later_replay_overwrites(
    bench: on_gpu.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, inference = bench.cases(2), Inference("cpu", "fp32", 8, compiled=True)
    eager = bench.detector(on_gpu.METHOD)
    expected = [one.anomaly_map for one in predict(eager, cases, replace(inference, compiled=False), seed=0)]
    graphs = Graphs()
    monkeypatch.setattr(nn.Module, "compile", lambda network, **named: graphs.compile(network, **named))
    replayed = bench.detector(on_gpu.METHOD)
    on_gpu.replay_as_graphs(replayed)
    found = [one.anomaly_map for one in predict(replayed, cases, inference, seed=0)]
    assert len(graphs.returned) > 2
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
    uncopied = bench.detector(on_gpu.METHOD)
    for network in uncopied.children():
        graphs.compile(network)
    uncopied._networks_are_compiled = True  # type: ignore[assignment]
    with pytest.raises(ValueError, match="expected finite ones"):
        list(predict(uncopied, cases, inference, seed=0))


def test_no_call_takes_what_another_has_half_compiled_for_whole(
    tmp_path: Path, one_row: list[Row], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = list[str]()

    def measured() -> list[Row]:
        places.append(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        return one_row if len(places) > 1 else []

    monkeypatch.setattr(on_gpu, "parts", lambda bench: {"only": measured})
    monkeypatch.setattr("sys.argv", ["on_gpu.py", str(tmp_path), "--device", "cpu", "--preset", "quick"])
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "of the user")
    assert [on_gpu.main(), on_gpu.main()] == [1, 0]
    assert capsys.readouterr().out.count("Missing: nothing") == 1
    assert len({*places, "of the user"}) == 3
    assert not any(map(os.path.exists, places))
