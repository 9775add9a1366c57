"""What is told of a run: which cells are where, and what the rest will take."""

import json
from pathlib import Path

import pytest
from commandline import STUDY, Program, refused
from studies import Runner

from benchmark.execution.progress import estimate, measured, progress_of
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import try_lock
from benchmark.storage.run_record import kept_cells
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.io.atomic import read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def told(study: Runner) -> dict[str, tuple[str, str]]:
    found = progress_of(study.folder, study.scoring)
    return {f"{one.cell.fit.method} {one.cell.cohort.dataset}": (one.progress, one.what) for one in found}


def test_cells_are_done_failed_or_missing(study: Runner) -> None:
    study.run(methods="mean-distance,unmappable")
    record = next(study.out.glob("cells/mean-distance-patients-*/cell.json"))
    record.unlink()
    assert told(study) == {
        "mean-distance volunteers": ("done", ""),
        "mean-distance patients": ("missing", ""),
        "unmappable volunteers": ("failed", "in predict (ArithmeticError: the map went to infinity)"),
        "unmappable patients": ("failed", "in predict (ArithmeticError: the map went to infinity)"),
    }


def test_a_cell_runs_while_a_living_process_holds_what_it_needs(study: Runner) -> None:
    study.run()
    for path in study.out.glob("cells/mean-distance-*/cell.json"):
        path.unlink()
    cells = {cell.cohort.dataset: cell for cell in kept_cells(study.folder)}
    with try_lock(study.folder, cells["patients"].name):
        assert told(study)["mean-distance patients"] == ("running", "mapping")
        assert told(study)["mean-distance volunteers"] == ("missing", "")
    with try_lock(study.folder, cells["patients"].fit.name):
        assert set(told(study).values()) == {("running", "fitting")}
    assert set(told(study).values()) == {("missing", "")}


def test_mapped_cells_that_lack_rows_are_missing_until_they_are_scored(study: Runner) -> None:
    study.run()
    for path in study.out.glob("cells/mean-distance-*/rows.csv"):
        path.unlink()
    assert set(told(study).values()) == {("missing", "mapped, not scored")}
    healthy = next(cell for cell in kept_cells(study.folder) if cell.cohort.dataset == "volunteers")
    with try_lock(study.folder, f"score-{healthy.scoring}"):
        assert set(told(study).values()) == {("running", "scoring")}


def test_the_command_tells_it_in_lines_and_as_json(program: Program, study: Runner) -> None:
    study.run(methods="mean-distance,unmappable")
    text = program("status", study.out).stdout
    assert "failed   unmappable     seed 0  patients" in text
    assert text.splitlines()[-1] == "4 cells: 2 done, 0 running, 2 failed, 0 missing."
    found = json.loads(program("status", study.out, "--json").stdout)
    assert [one["progress"] for one in found] == ["done", "done", "failed", "failed"]


def test_cancelling_where_nothing_was_submitted_is_refused(program: Program, study: Runner) -> None:
    study.run()
    assert "got a run without SLURM jobs" in refused(program("cancel", study.out))


def test_hours_and_disk_are_those_measured_of_the_same_method(study: Runner) -> None:
    study.run(methods="mean-distance")
    timing = next(study.out.glob("cells/mean-distance-volunteers-*/timing.csv"))
    for path in study.out.glob("cells/*/timing.csv"):
        path.write_text(with_seconds(path, 7200.0))
    assert "7200.0" in timing.read_text()
    fit = next(study.out.glob("fits/*/fit.json"))
    write_json(fit, {**read_json(fit), "seconds": 3600.0})
    asked = Request(
        "mean-distance,noisy", "inpatients", study.data, preset="quick", seeds="0-1", splits=("val", "test")
    )
    planned = plan(asked)
    left = estimate(study.folder, planned, measured(study.folder, planned.cells[0]))
    # Of mean-distance: a fit, and both cohorts of its second seed, and the inpatients of its first; noisy is not known.
    sizes = [path.stat().st_size for path in study.out.glob("cells/*/*/*.nii.gz")]
    assert left.unknown == ("noisy",)
    assert left.fits == 3
    assert left.seconds == pytest.approx(3600.0 + 7200.0 * (2 + 2 + 5))
    assert left.size == pytest.approx(
        9 * sum(sizes) / 11 + fit.with_name("weights.safetensors").stat().st_size, rel=0.2
    )


def with_seconds(path: Path, seconds: float) -> str:
    """A timing table in which every case took so long."""
    lines = path.read_text().splitlines()
    head = lines[0].split(",")
    rows = [dict(zip(head, line.split(","), strict=True)) for line in lines[1:]]
    changed = [{**row, "value": str(seconds)} if row["metric"] == "seconds" else row for row in rows]
    return "\n".join([lines[0], *(",".join(row.values()) for row in changed), ""])


def test_runs_beside_this_one_lend_their_speeds(study: Runner, tmp_path: Path) -> None:
    study.run(methods="mean-distance")
    run, planned = RunFolder(tmp_path / "new"), plan(Request("mean-distance", "patients", study.data, preset="quick"))
    left = estimate(run, planned, measured(run, planned.cells[0]))
    assert left.unknown == ()
    assert left.seconds > 0


def test_a_dry_run_says_what_is_not_known(program: Program, data: Path) -> None:
    text = program("run", *STUDY, "--data", data, "--dry-run").stdout
    assert "unknown  " in text
    assert "To do: 1 fit and maps of 11 cases; unknown for mean-distance, not measured yet" in text


def test_a_network_that_was_never_measured_is_tried_for_a_moment(program: Program, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "few.toml"
    line = ("run", *STUDY, "--methods", "ae,mean-distance", "--data", data, "--config", config, "--dry-run")
    seconds = []
    for steps in (2_000, 20_000_000):
        config.write_text(f"[ae]\nsteps = {steps}\nsize = 16\n")
        text = program(*line).stdout
        assert "unknown for mean-distance, not measured yet; about " in text
        assert " GB for the others (ae: by a moment's trial on this CPU)." in text
        seconds.append(float(text.split("about ")[1].split(" h")[0]))
    assert seconds[1] > 100 * seconds[0]
    assert seconds[1] > 1
