"""Damaged and foreign files are refused and named; clocks that jump and cases that vanish cost what they must."""

import json
import os
import pickle
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commandline import call, refused
from detectors import MeanDistance
from studies import Runner, stamps

from benchmark import __version__
from benchmark.execution import worker as runner
from benchmark.storage.folder import FORMAT
from benchmark.storage.run_record import kept_cells
from datasets.io.atomic import read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")
Counter = Callable[[type, str], Sequence[object]]


@pytest.fixture
def study(own_data: Path, tmp_path: Path) -> Runner:
    return Runner(own_data, tmp_path / "run")


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("damage", ["truncated", "pickled", "emptied"])
def test_weights_that_are_damaged_or_a_pickle_are_refused_and_named(study: Runner, tmp_path: Path, damage: str) -> None:
    study.run(methods="mean-distance,noisy")
    rows = (study.out / "rows.csv").read_bytes()
    weights = next(study.out.glob("fits/mean-distance-*/weights.safetensors"))
    whole, trap = weights.read_bytes(), tmp_path / "sprung"
    weights.write_bytes({"truncated": whole[:-9], "pickled": pickle.dumps(Trap(trap)), "emptied": b""}[damage])
    for record in study.out.glob("cells/mean-distance-*/cell.json"):
        record.unlink()
    failed = study.run(methods="mean-distance,noisy")
    assert [cell.fit.method for cell in failed] == ["mean-distance"] * 2
    record = read_json(study.folder.cell(failed[0]) / "cell.json")
    assert record["stage"] == "fit"
    assert f"{weights}: got digest" in record["traceback"]
    assert not trap.exists()
    assert study.run(methods="mean-distance,noisy", rerun="failed") == []
    assert (study.out / "rows.csv").read_bytes() == rows


def test_a_corrupted_map_is_refused_and_named_and_made_anew(study: Runner) -> None:
    study.run()
    rows = (study.out / "rows.csv").read_bytes()
    damaged = next(study.out.glob("cells/mean-distance-patients-*/maps/patients-test-1.nii.gz"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    (damaged.parents[1] / "rows.csv").unlink()
    failed = study.run()
    assert [cell.cohort.dataset for cell in failed] == ["patients"]
    assert f"{damaged}: got digest" in read_json(damaged.parents[1] / "cell.json")["traceback"]
    assert study.run(rerun="failed") == []
    assert (study.out / "rows.csv").read_bytes() == rows


def test_a_run_of_another_version_is_refused_by_every_command(study: Runner) -> None:
    study.run()
    write_json(study.folder.study, {**read_json(study.folder.study), "format": FORMAT - 1})
    before = stamps(study.out, "*")
    for command in ("status", "evaluate", "report", "work", "cancel"):
        line = refused(call(command, study.out))
        assert f"got run format {FORMAT - 1}, written by uadbench {__version__}, expected {FORMAT}" in line
        assert str(study.folder.study) in line
    assert stamps(study.out, "*") == before


def test_clocks_that_jump_change_no_row_and_repeat_nothing(
    study: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    steady = Runner(study.data, tmp_path / "steady")
    steady.run(datasets="patients,inpatients")
    chance = random.Random(3)
    monkeypatch.setattr(time, "time", lambda: chance.uniform(0, 4e9))
    study.run()
    for path in study.out.rglob("*"):
        moment = chance.uniform(0, 4e9)
        os.utime(path, (moment, moment))
    mapped = count_calls(MeanDistance, "anomaly_map")
    study.run(datasets="patients,inpatients")
    assert len(mapped) == 1  # the cell of the inpatients
    assert (study.out / "rows.csv").read_bytes() == (steady.out / "rows.csv").read_bytes()


def test_a_case_that_vanishes_meanwhile_costs_its_cell(
    study: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Runner(study.data, tmp_path / "whole")
    whole.run(datasets="patients,inpatients")
    case = study.data / "patients" / "t1" / "patients-test-2.nii.gz"
    aside = case.with_name("aside")
    with monkeypatch.context() as patch:
        patch.setattr(runner, "prepare", vanishing(case, aside))
        failed = study.run(datasets="patients,inpatients")
    assert [cell.cohort.dataset for cell in failed] == ["patients"]
    assert str(case) in json.dumps(read_json(study.folder.cell(failed[0]) / "cell.json")["traceback"])
    assert len(kept_cells(study.folder)) == 3
    aside.rename(case)
    assert study.run(datasets="patients,inpatients", rerun="failed") == []
    assert (study.out / "rows.csv").read_bytes() == (whole.out / "rows.csv").read_bytes()


def vanishing(case: Path, aside: Path) -> Callable[..., Any]:
    original = runner.prepare

    def prepare(*args: Any) -> Any:
        cells = original(*args)
        case.rename(aside)
        return cells

    return prepare
