"""What a run folder says about itself, and what it refuses to mix."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cohorts import VOLUNTEERS, write_cohort

from benchmark import __version__
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import PIPELINES, Pipeline
from benchmark.postprocessing.steps import median_step
from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.rows import write_rows
from benchmark.storage.run_record import (
    Scoring,
    add_study,
    cell_state,
    check_settings,
    has_failed,
    has_maps,
    kept_cells,
    kept_references,
    kept_scoring,
    read_record,
    record_cell,
    record_maps,
    record_rows,
    redefined,
    reopen,
    table_of,
)
from benchmark.study.planning import plan
from benchmark.study.protocols import PROTOCOLS
from benchmark.study.study import Request, Study
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import read_json, write_json

SCORING = Scoring(("none",), ("oracle", "lesion-val"))
Planner = Callable[..., Study]

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path / "run")


@pytest.fixture
def planned(data: Path) -> Planner:
    def planned(methods: str = "mean-distance", datasets: str = "patients", **asked: object) -> Study:
        return plan(Request(methods=methods, datasets=datasets, data=data, preset="quick", **asked))  # type: ignore[arg-type]

    return planned


def test_a_claimed_study_is_found_again(run: RunFolder, planned: Planner, data: Path) -> None:
    study = planned("mean-distance[sides=['a','b']],noisy")
    add_study(run, study, SCORING, data)
    again = reopen(run, None)
    assert again.cells == study.cells
    assert again.references == study.references
    assert again.files == study.files
    assert [cell.key for cell in again.cells] == [cell.key for cell in study.cells]
    assert kept_scoring(run) == SCORING


def test_studies_in_one_folder_add_up(run: RunFolder, planned: Planner, data: Path) -> None:
    add_study(run, planned("mean-distance"), SCORING, data)
    add_study(run, planned("noisy", "inpatients", seeds="1"), SCORING, data)
    labels = {cell.label[:2] for cell in kept_cells(run)}
    assert labels == {
        ("mean-distance", "volunteers"),
        ("mean-distance", "patients"),
        ("noisy", "volunteers"),
        ("noisy", "inpatients"),
    }
    assert {reference.cohort.dataset for reference in kept_references(run)} == {"patients", "inpatients"}


def test_claiming_the_same_twice_changes_nothing(run: RunFolder, planned: Planner, data: Path) -> None:
    add_study(run, planned(), SCORING, data)
    first = run.study.read_bytes()
    add_study(run, planned(), SCORING, data)
    assert run.study.read_bytes() == first


@pytest.mark.parametrize(
    ("asked", "setting"),
    [({"limit": 1}, "limit"), ({"precision": "bf16"}, "precision")],
)
def test_other_settings_are_refused(
    run: RunFolder, planned: Planner, data: Path, asked: dict[str, object], setting: str
) -> None:
    add_study(run, planned(), SCORING, data)
    check_settings(run, planned("noisy"))
    with pytest.raises(BadValue, match=f"got a run with {setting} .*, expected .* Choose another --out"):
        check_settings(run, planned(**asked))


def test_another_healthy_cohort_is_refused(run: RunFolder, planned: Planner, data: Path) -> None:
    study = planned()
    add_study(run, study, SCORING, data)
    fit = replace(study.cells[0].fit, healthy=replace(study.cells[0].fit.healthy, digest="other"))
    with pytest.raises(BadValue, match="got a run with healthy"):
        check_settings(run, replace(study, cells=tuple(replace(cell, fit=fit) for cell in study.cells)))


def test_a_run_whose_scans_changed_is_not_reopened(
    run: RunFolder, own_data: Path, planned: Planner, data: Path
) -> None:
    add_study(run, planned(), SCORING, data)
    assert reopen(run, own_data).files["patients"][0].image.is_relative_to(own_data)
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace("patients-test-0,patients-test-1,test", "patients-test-0,x,val"))
    with pytest.raises(BadFile, match=f"{own_data / 'patients'}: got data with digest .*have changed since"):
        reopen(run, own_data)
    with pytest.raises(MissingData, match="looked for"):
        reopen(run, own_data / "absent")


def test_the_state_of_a_cell_follows_its_record_and_rows(run: RunFolder, planned: Planner) -> None:
    cell = planned().cells[0]
    assert cell_state(run, cell, SCORING) == "missing"
    assert not has_maps(run, cell)
    record_maps(run, cell, {"inference": {"device": "cpu"}})
    assert cell_state(run, cell, SCORING) == "mapped"
    assert has_maps(run, cell)
    record_rows(run, cell, SCORING)
    assert cell_state(run, cell, SCORING) == "mapped"  # there are no rows
    write_rows(run.cell(cell) / "rows.csv", [])
    record_rows(run, cell, SCORING)
    assert cell_state(run, cell, SCORING) == "done"
    record_rows(run, cell, replace(SCORING, metrics=("dice",)))
    assert cell_state(run, cell, SCORING) == "mapped"
    assert cell_state(run, cell, replace(SCORING, metrics=("dice",))) == "done"
    record_rows(run, cell, replace(SCORING, protocols=("oracle",)))
    assert cell_state(run, cell, SCORING) == "mapped"
    record_rows(run, cell, SCORING)
    assert cell_state(run, cell, SCORING) == "done"
    assert cell_state(run, cell, replace(SCORING, postprocessing=("none", "paper"))) == "mapped"


def test_a_cell_whose_rows_are_gone_or_not_recorded_is_to_be_scored(run: RunFolder, planned: Planner) -> None:
    cell = planned().cells[0]
    rows = run.cell(cell) / "rows.csv"
    record_maps(run, cell, {})
    record_rows(run, cell, SCORING)
    write_rows(rows, [])
    assert cell_state(run, cell, SCORING, read_tables=False) == "mapped"
    record_rows(run, cell, SCORING)
    assert cell_state(run, cell, SCORING, read_tables=False) == "done"
    rows.unlink()
    assert cell_state(run, cell, SCORING, read_tables=False) == "mapped"


def test_a_cell_is_scored_anew_where_a_name_stands_for_another_definition(
    run: RunFolder, planned: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each scoring looks its names up once, so every question here is asked of another."""
    cell = planned().cells[0]
    record_maps(run, cell, {})
    write_rows(run.cell(cell) / "rows.csv", [])
    record_rows(run, cell, SCORING)
    assert cell_state(run, cell, replace(SCORING)) == "done"
    for registry, name in ((METRICS, "dice"), (PROTOCOLS, SCORING.protocols[0])):
        with monkeypatch.context() as patch:
            patch.setitem(registry.built_in, name, replace(registry[name], revision=2))
            assert cell_state(run, cell, replace(SCORING)) == "mapped"
    none = Pipeline("none", "none", (median_step(12),))
    monkeypatch.setitem(PIPELINES.built_in, "none", none)
    assert cell_state(run, cell, replace(SCORING)) == "mapped"


@pytest.mark.parametrize(("stage", "maps"), [("fit", False), ("predict", False), ("evaluate", True)])
def test_a_failed_cell_has_maps_only_if_scoring_failed(
    run: RunFolder, planned: Planner, stage: str, maps: bool
) -> None:
    cell = planned().cells[0]
    record_cell(run, cell, {"status": "failed", "stage": stage, "traceback": ""})
    assert cell_state(run, cell, SCORING) == "failed"
    assert has_failed(run, cell)
    assert has_maps(run, cell) == maps


def test_how_maps_were_made_survives_scoring_them(run: RunFolder, planned: Planner) -> None:
    cell = planned().cells[0]
    record_cell(run, cell, {"status": "mapped", "inference": {"device": "cuda"}})
    record_cell(run, cell, {"status": "failed", "stage": "evaluate", "traceback": "..."})
    record_cell(run, cell, {"status": "mapped"})
    record = json.loads((run.cell(cell) / "cell.json").read_text())
    assert record["inference"] == {"device": "cuda"}
    assert "traceback" not in record
    assert record["cell"]["cohort"]["dataset"] == "volunteers"


def test_the_record_of_a_cell_says_which_version_to_read_it_with(run: RunFolder, planned: Planner) -> None:
    cell = planned().cells[0]
    record_cell(run, cell, {"status": "mapped"})
    path = run.cell(cell) / "cell.json"
    write_json(path, {**read_json(path), "format": 0})
    with pytest.raises(BadFile, match=f"cell.json: got run format 0, written by uadbench {__version__}, expected"):
        read_record(run, cell)


def test_a_damaged_table_of_a_cell_is_mended_by_what_made_it(run: RunFolder, planned: Planner) -> None:
    cell = planned().cells[0]
    for name in ("timing.csv", "rows.csv"):
        write_rows(run.cell(cell) / name, [])
    record_maps(run, cell, {})
    record_rows(run, cell, SCORING)
    for name, way in (("timing.csv", "Map the cell anew"), ("rows.csv", "Score it anew")):
        assert table_of(run, cell, name) == run.cell(cell) / name
        (run.cell(cell) / name).write_text("other")
        with pytest.raises(BadFile, match=rf"{name}: got digest .*\. {way}: "):
            table_of(run, cell, name)


def test_what_is_another_by_now_is_named_whatever_it_is_and_what_is_gone_is_not() -> None:
    scored = replace(SCORING, metrics=("dice", "auprc")).definitions
    assert redefined({"scored": scored}) == redefined({}) == []
    for kind, name in (("postprocessing", "none"), ("protocols", "lesion-val"), ("metrics", "auprc")):
        changed = {**scored, kind: {**scored[kind], name: "another", "of-a-plugin-that-is-gone": "any"}}
        assert redefined({"scored": changed}) == [name]


def test_a_run_says_whom_its_methods_learn_from(planned: Planner, data: Path, tmp_path: Path) -> None:
    write_cohort(tmp_path, replace(VOLUNTEERS, name="visitors"), {"train": 2, "val": 2, "test": 1})
    for healthy in ("volunteers", f"volunteers,visitors={tmp_path / 'visitors'}"):
        run = create_run(tmp_path / f"run-{len(healthy)}")
        study = planned(healthy=healthy)
        add_study(run, study, SCORING, data)
        told = read_json(run.study)["settings"]["healthy"]
        named = [told["dataset"]] if isinstance(told, dict) else [one["dataset"] for one in told]
        assert named == sorted(one.dataset for one in study.fits[0].healthy_cohorts)
        assert isinstance(told, dict) == (len(named) == 1)
