"""Each file of a run is checked against what made it when it is read; what is damaged is named, and mended by `run`."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from studies import Runner

from benchmark.analysis.summaries.make import summarise
from benchmark.execution.score_cells import collect, evaluate_study
from benchmark.storage.checksums import write_checksums
from benchmark.storage.fits import check_fit_files, read_card
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_map, write_map
from benchmark.storage.run_record import cell_state, kept_cells, kept_scoring, reopen, table_of
from benchmark.storage.run_tables import run_rows
from benchmark.study.cells import Cell
from datasets.errors import BadFile, UserError
from datasets.io.atomic import MOST_JSON, read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")
METHODS = "mean-distance,noisy"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def study(data: Path, shelf: Path, tmp_path: Path) -> Runner:
    """A copy of a finished run of two methods, to be damaged."""
    if not (shelf / "run").exists():
        Runner(data, shelf / "run").run(METHODS)
        summarise(RunFolder(shelf / "run"), data)
    shutil.copytree(shelf / "run", tmp_path / "run")
    return Runner(data, tmp_path / "run")


def cell_of(run: RunFolder, method: str = "mean-distance", dataset: str = "patients") -> Cell:
    return next(one for one in kept_cells(run) if (one.fit.method, one.cohort.dataset) == (method, dataset))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def digit(path: Path) -> None:
    """One digit becomes another, size and time stay."""
    content, facts = path.read_bytes(), path.stat()
    place = next(index for index in range(len(content) // 2, len(content)) if content[index : index + 1].isdigit())
    path.write_bytes(content[:place] + (b"7" if content[place : place + 1] != b"7" else b"3") + content[place + 1 :])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def gone(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


DAMAGES = [cut, digit, gone, folder, linked]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_of_the_run_is_named_with_what_mends_it(study: Runner, damage: Callable[[Path], None]) -> None:
    whole = (study.out / "rows.csv").read_bytes()
    damage(study.out / "rows.csv")
    with pytest.raises(UserError, match=r"rows.csv.*python -m benchmark evaluate"):
        run_rows(study.folder)
    collect(study.folder)
    assert (study.out / "rows.csv").read_bytes() == whole
    run_rows(study.folder)


def test_tables_of_another_run_are_refused_though_their_digests_fit(study: Runner, tmp_path: Path) -> None:
    other = Runner(study.data, tmp_path / "other")
    other.run(METHODS, seeds="1")
    for name in ("rows.csv", "tables.json"):
        shutil.copyfile(other.out / name, study.out / name)
    with pytest.raises(BadFile, match=r"got rows of .*, expected those of cells in"):
        run_rows(study.folder)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["rows.csv", "pr.csv", "strata.csv"])
def test_a_damaged_table_of_a_cell_is_named_stays_out_and_is_made_anew(
    study: Runner, name: str, damage: Callable[[Path], None]
) -> None:
    whole, cell = (study.out / "rows.csv").read_bytes(), cell_of(study.folder)
    damage(study.folder.cell(cell) / name)
    with pytest.raises(BadFile, match=f"{name}: .*python -m benchmark evaluate"):
        table_of(study.folder, cell, name)
    assert cell_state(study.folder, cell, study.scoring) == "mapped"
    collect(study.folder)
    assert {(row["method"], row["dataset"]) for row in study.rows()}.isdisjoint({("mean-distance", "patients")})
    assert study.run(METHODS) == []
    assert (study.out / "rows.csv").read_bytes() == whole


def test_a_table_of_another_cell_is_refused(study: Runner) -> None:
    one, other = cell_of(study.folder), cell_of(study.folder, "noisy")
    shutil.copyfile(study.folder.cell(other) / "rows.csv", study.folder.cell(one) / "rows.csv")
    with pytest.raises(BadFile, match="got digest"):
        table_of(study.folder, one, "rows.csv")


def swapped(run: RunFolder, one: Cell, other: Cell) -> None:
    shutil.rmtree(run.cell(one))
    shutil.copytree(run.cell(other), run.cell(one))


def other_record(run: RunFolder, one: Cell, other: Cell) -> None:
    shutil.copyfile(run.cell(other) / "cell.json", run.cell(one) / "cell.json")


def other_sums(run: RunFolder, one: Cell, other: Cell) -> None:
    shutil.copyfile(run.cell(other) / "SHA256SUMS", run.cell(one) / "SHA256SUMS")


@pytest.mark.parametrize("swap", [swapped, other_record, other_sums])
def test_the_folder_record_or_digests_of_another_cell_fail_this_one_alone(
    study: Runner, swap: Callable[[RunFolder, Cell, Cell], None]
) -> None:
    whole, one = (study.out / "rows.csv").read_bytes(), cell_of(study.folder)
    swap(study.folder, one, cell_of(study.folder, "noisy"))
    states = {cell.key: cell_state(study.folder, cell, study.scoring) for cell in kept_cells(study.folder)}
    assert {key: state for key, state in states.items() if state != "done"} == {one.key: "failed"}
    assert study.run(METHODS, rerun="failed") == []
    assert (study.out / "rows.csv").read_bytes() == whole


def test_maps_that_do_not_match_their_digests_are_not_scored(study: Runner) -> None:
    cell = cell_of(study.folder)
    path = study.folder.anomaly_map(cell, "patients-test-0")
    kept = read_map(study.folder, cell, "patients-test-0")
    write_map(path, kept.max() - kept, np.eye(4))
    with pytest.raises(BadFile, match="got digest"):
        read_map(study.folder, cell, "patients-test-0")
    scoring = kept_scoring(study.folder)
    assert evaluate_study(reopen(study.folder, None), study.folder, scoring) == [cell]


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json", "card.json", "fit.json", "SHA256SUMS"])
@pytest.mark.parametrize("of", ["noisy", "seed 1"])
def test_a_file_of_another_fit_is_refused(study: Runner, tmp_path: Path, name: str, of: str) -> None:
    fit = cell_of(study.folder).fit
    source = study.folder.fit(cell_of(study.folder, "noisy").fit)
    if of == "seed 1":
        other = Runner(study.data, tmp_path / "other")
        other.run(seeds="1", limit=1)
        source = next(other.out.glob("fits/mean-distance-*"))
    if (source / name).read_bytes() == (study.folder.fit(fit) / name).read_bytes():
        pytest.skip("both have the same")
    shutil.copyfile(source / name, study.folder.fit(fit) / name)
    with pytest.raises(BadFile, match="got"):
        check_fit_files(study.folder.fit(fit), fit)


def test_a_whole_fit_of_another_seed_is_refused_with_its_checksums_and_without_its_record(
    study: Runner, tmp_path: Path
) -> None:
    fit, other = cell_of(study.folder).fit, Runner(study.data, tmp_path / "other")
    other.run(seeds="1", limit=1)
    source, here = next(other.out.glob("fits/mean-distance-*")), study.folder.fit(fit)
    kept = read_json(here / "fit.json")
    shutil.rmtree(here)
    shutil.copytree(source, here)
    with pytest.raises(BadFile, match="the record of another fit"):
        read_card(study.folder, fit)
    write_json(here / "fit.json", {name: value for name, value in kept.items() if name != "files"} | {"format": 5})
    with pytest.raises(BadFile, match="got a fit with seed 1, expected 0 by its record"):
        check_fit_files(here, fit)


@pytest.mark.parametrize("damage", [cut, digit, gone])
@pytest.mark.parametrize("name", ["summary.csv", "comparisons.csv", "participants.csv", "summary.json"])
def test_damaged_summaries_are_made_anew(study: Runner, name: str, damage: Callable[[Path], None]) -> None:
    assert not summarise(study.folder, study.data)
    whole = (study.out / name).read_bytes()
    damage(study.out / name)
    assert summarise(study.folder, study.data)
    assert (study.out / name).read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "told"),
    [('{"a": ' * 100_000, "too deep"), ("[1]", "got list as JSON"), ('{"a": 1', "not JSON"), ("\x00", "not JSON")],
)
def test_json_that_is_none_or_too_deep_is_named(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "cell.json").write_text(content)
    with pytest.raises(BadFile, match=f"cell.json: .*{told}"):
        read_json(tmp_path / "cell.json")


def test_huge_json_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "cell.json").open("wb") as stream:
        stream.truncate(MOST_JSON + 1)
    with pytest.raises(BadFile, match=f"got {MOST_JSON + 1} bytes of JSON"):
        read_json(tmp_path / "cell.json")


@pytest.mark.parametrize("change", [("2", "3"), (' "b"', '  "b"'), ('"a"', '"c"')])
def test_a_changed_byte_under_a_seal_is_named(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "study.json"
    write_json(path, {"a": 1, "b": [2, {"seal": "mine"}]})
    assert read_json(path) == {"a": 1, "b": [2, {"seal": "mine"}]}
    path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(BadFile, match="changed after it was written"):
        read_json(path)


def test_a_map_that_unpacks_to_more_than_its_grid_is_not_unpacked(study: Runner) -> None:
    cell = cell_of(study.folder)
    path = study.folder.anomaly_map(cell, "patients-test-0")
    write_map(path, np.zeros((400, 400, 400), np.float32), np.eye(4))
    write_checksums(study.folder.cell(cell), ("maps", "reconstructions", "timing.csv"))
    with pytest.raises(BadFile, match=r"got shape \(400, 400, 400\), expected \(16, 16, 12\)"):
        read_map(study.folder, cell, "patients-test-0")


def test_scans_replaced_since_the_study_was_planned_are_not_mapped_under_the_old_digest(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.execution import worker

    scans = own_data / "patients" / "t1"

    def prepare(*args: object) -> object:
        cells = original(*args)
        shutil.copyfile(scans / "patients-val-0.nii.gz", scans / "patients-test-0.nii.gz")
        return cells

    original = worker.prepare
    monkeypatch.setattr(worker, "prepare", prepare)
    study = Runner(own_data, tmp_path / "run")
    failed = study.run()
    assert [cell.cohort.dataset for cell in failed] == ["patients"]
    told = json.loads((study.folder.cell(failed[0]) / "cell.json").read_text())["traceback"]
    assert "patients: got other scans, masks or splits than when this command began (changed: patients-test-0)" in told
