"""Runs of several machines become one, if they were made alike."""

from pathlib import Path
from typing import Any

import pytest
from commandline import Program, refused
from studies import Runner, stamps, without_order

from datasets.io.atomic import read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def parts(data: Path, tmp_path: Path) -> list[Runner]:
    """Two methods, each made elsewhere."""
    made = [Runner(data, tmp_path / name) for name in ("first", "second")]
    made[0].run(methods="mean-distance")
    made[1].run(methods="noisy")
    return made


def test_the_joined_run_is_the_one_that_one_machine_would_have_made(
    program: Program, parts: list[Runner], data: Path, tmp_path: Path
) -> None:
    whole, out = Runner(data, tmp_path / "whole"), tmp_path / "joined"
    whole.run(methods="mean-distance,noisy")
    before = [stamps(part.out, "*") for part in parts]
    told = program("merge", *(part.out for part in parts), "--out", out).stdout
    assert "4 cells and 2 fits of 2 runs" in told
    assert (out / "rows.csv").read_bytes() == (whole.out / "rows.csv").read_bytes()
    assert [stamps(part.out, "*") for part in parts] == before
    assert program("evaluate", out).exit_code == 0
    assert without_order(Runner(data, out).rows()) == without_order(whole.rows())


def test_a_cell_that_one_run_lacks_is_taken_from_another(program: Program, parts: list[Runner], tmp_path: Path) -> None:
    parts[0].run(methods="noisy")
    for path in parts[0].out.glob("cells/noisy-patients-*/*.*"):
        path.unlink()
    program("merge", *(part.out for part in parts), "--out", tmp_path / "joined")
    assert {(row["method"], row["dataset"]) for row in Runner(parts[0].data, tmp_path / "joined").rows()} == {
        ("mean-distance", "volunteers"),
        ("mean-distance", "patients"),
        ("noisy", "volunteers"),
        ("noisy", "patients"),
        ("perfect-map", "patients"),
    }


def change(path: Path, **content: Any) -> None:
    write_json(path, {**read_json(path), **content})


@pytest.mark.parametrize(
    ("record", "content"),
    [
        ("environment.json", {"uadbench": "0.0.9"}),
        ("environment.json", {"torch": "1.4.0"}),
        ("cells/noisy-patients-*/cell.json", {"version": "0.0.9"}),
    ],
)
def test_mixed_versions_are_refused_in_one_line_that_names_both(
    program: Program, parts: list[Runner], tmp_path: Path, record: str, content: dict[str, str]
) -> None:
    path = next(parts[1].out.glob(record))
    change(path, **content)
    line = refused(program("merge", *(part.out for part in parts), "--out", tmp_path / "joined"))
    assert f"version of {next(iter(content)).replace('version', 'uadbench')}" in line
    assert next(iter(content.values())) in line
    assert str(parts[0].out) in line
    assert str(parts[1].out) in line
    assert not (tmp_path / "joined" / "study.json").exists()


def test_other_settings_are_refused(program: Program, parts: list[Runner], tmp_path: Path, data: Path) -> None:
    limited = Runner(data, tmp_path / "limited")
    limited.run(methods="noisy", limit=1)
    line = refused(program("merge", parts[0].out, limited.out, "--out", tmp_path / "joined"))
    assert "merge: got settings" in line


def test_runs_of_other_scans_are_refused_and_the_case_is_named(
    program: Program, parts: list[Runner], tmp_path: Path, own_data: Path
) -> None:
    images = own_data / "patients" / "t1"
    (images / "patients-test-0.nii.gz").write_bytes((images / "patients-val-0.nii.gz").read_bytes())
    other = Runner(own_data, tmp_path / "other")
    other.run(methods="noisy")
    line = refused(program("merge", parts[0].out, other.out, "--out", tmp_path / "joined"))
    assert "merge: got data of 'patients' (changed: patients-test-0), by digest, " in line


def test_runs_are_not_merged_into_one_of_them(program: Program, parts: list[Runner]) -> None:
    line = refused(program("merge", *(part.out for part in parts), "--out", parts[0].out))
    assert "got a run, expected an empty folder" in line
