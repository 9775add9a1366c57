"""Reports of small run folders that hold real maps and rows, made without any network."""

import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from scipy import ndimage

from benchmark.maps import write_volume
from benchmark.planning import Study
from benchmark.records import Scoring, claim, record_cell
from benchmark.results import blank_row, read_rows, write_rows
from benchmark.runfolder import RunFolder, create_run
from benchmark.scoring import collect, evaluate_study, fail
from benchmark.study import Cell, Cohort, Fit, Reference
from datasets.case import CaseFiles, Split
from datasets.catalog import dataset
from datasets.errors import MissingData, UnknownName
from datasets.grid import load_case
from datasets.spec import digest
from reports.markdown import write_report

SCORING = Scoring(("paper", "none"), ("lesion-val", "healthy-fpr-1", "oracle"))
COHORTS = ("volunteers", "patients", "inpatients")
BOTH: tuple[Split, ...] = ("val", "test")


@dataclass(frozen=True)
class Made:
    """A run folder whose cells are filled by hand."""

    run: RunFolder
    study: Study

    def report(self, data: Path | None = None, *, pictures: Sequence[str] | None = None) -> str:
        return write_report(self.run, data, pictures=pictures).read_text(encoding="utf-8")


def make(
    root: Path,
    data: Path,
    *,
    methods: Sequence[str] = ("thresh", "ae[size=48]"),
    seeds: Sequence[int] = (0,),
    splits: tuple[Split, ...] = BOTH,
    failing: Collection[tuple[str, str]] = (),
) -> Made:
    """`thresh` maps intensity, every other method what smoothing takes away; `failing`: (method, cohort)."""
    files = {name: dataset(name).files(data, "t1") for name in COHORTS}
    cohorts = {name: Cohort(name, "t1", digest(found)) for name, found in files.items()}
    fits = [
        Fit(name, "module:Class", {"size": 48}, cohorts["volunteers"], TINY, seed) for name in methods for seed in seeds
    ]
    cells = tuple(Cell(fit, cohort, splits=splits) for fit in fits for cohort in cohorts.values())
    references = tuple(Reference(cohorts[name], TINY, splits, None) for name in COHORTS[1:])
    made = Made(create_run(root), Study(cells, references, files))
    claim(made.run, made.study, SCORING, data)
    for cell in cells:
        if (cell.fit.method, cell.cohort.dataset) in failing:
            _leave_failed(made.run, cell)
        else:
            _keep_maps(made.run, cell, made.study.mapped_cases(cell))
    evaluate_study(made.study, made.run, SCORING, lambda line: None)
    return made


def _leave_failed(run: RunFolder, cell: Cell) -> None:
    try:
        raise ValueError("got a NaN_map")
    except ValueError:
        fail(run, cell, "predict", lambda line: None)


def _keep_maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles]) -> None:
    rows = []
    for one in files:
        case = load_case(one, TINY)
        anomaly_map = case.image[0]
        if cell.fit.method != "thresh":
            smooth = ndimage.gaussian_filter(case.image[0], 1.0 + cell.fit.seed)
            write_volume(run.reconstruction(cell, one.case_id), smooth, case.affine)
            anomaly_map = np.abs(case.image[0] - smooth) * case.brain_mask
        write_volume(run.anomaly_map(cell, one.case_id), anomaly_map, case.affine)
        blank = replace(blank_row(cell), split=one.split, case_id=one.case_id, subject_id=one.subject_id)
        rows.append(replace(blank, metric="seconds", value=0.25))
    write_rows(run.cell(cell) / "timing.csv", rows)
    record_cell(run, cell, {"status": "mapped", "inference": {"device": "abacus"}})


@pytest.fixture
def made(tmp_path: Path, data: Path, plugin: None) -> Made:
    return make(tmp_path / "run", data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Iterator[Made]:
    """A run with its report, to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("finished") / "run", data)
        made.report()
        yield made


@pytest.fixture(scope="module")
def report(finished: Made) -> str:
    return (finished.run.root / "report.md").read_text(encoding="utf-8")


def section(report: str, heading: str) -> str:
    """From this heading to the next one of any level."""
    return report.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]


def cells_of(text: str, name: str) -> list[str]:
    """The first table line that begins with `name`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]


def test_the_sections_come_in_the_order_in_which_one_reads(report: str) -> None:
    headings = [line for line in report.splitlines() if line.startswith(("# ", "## "))]
    assert headings == [
        "# Run run",
        "## Leaderboards",
        "## Mean Dice by post-processing and threshold",
        "## False alarms in healthy scans",
        "## Reconstruction of healthy scans",
        "## Loss by field of view",
        "## Notes",
        "## Gallery",
        "## Hyper-parameters and keys",
    ]


def test_the_opening_says_what_was_run(report: str) -> None:
    opening = report.split("\n## ")[0]
    for fact in ("thresh (floor), ae\\[size=48\\]", "3 healthy cases to train on, 3 to validate on",
                 "16 x 16 x 12 voxels of 4 mm", "abacus", "fp32", "6 of 6 done", "**Single seed**:"):  # fmt: skip
        assert fact in opening
    assert "VALIDATION" not in opening
    assert "Limit" not in opening


def test_a_board_gives_the_mean_of_its_rows_over_patients(finished: Made, report: str) -> None:
    rows = read_rows(finished.run.root / "rows.csv")
    chosen = rows[(rows["dataset"] == "patients") & (rows["split"] == "test") & (rows["method"] == "thresh")]
    chosen = chosen[(chosen["postprocessing"] == "paper") & (chosen["metric"] == "auprc")]
    by_patient: dict[str, list[float]] = {}
    for subject, value in zip(chosen["subject_id"], chosen["value"], strict=True):
        by_patient.setdefault(subject, []).append(value)
    wanted = np.mean([np.mean(values) for values in by_patient.values()])
    line = cells_of(section(report, "### Patients (`patients`)"), "thresh")
    assert line[1] == "2 (3 scans)"
    assert line[3].strip("*") == f"{wanted:.3f}"


def test_validation_rows_do_not_enter_the_boards_of_the_test_split(made: Made) -> None:
    rows = read_rows(made.run.root / "rows.csv")
    before = made.report(pictures=[])
    rows.loc[rows["split"] == "val", "value"] = 0.987
    rows.to_csv(made.run.root / "rows.csv", index=False)
    assert made.report(pictures=[]) == before


def test_a_cohort_without_validation_lesions_gets_the_healthy_threshold_and_says_so(report: str) -> None:
    assert "threshold `lesion-val`" in section(report, "### Patients (`patients`)")
    inpatients = section(report, "### Inpatients (`inpatients`)")
    assert "threshold `healthy-fpr-1`" in inpatients
    assert "`lesion-val`, is undefined here: the cohort has no lesion validation cases" in inpatients
    assert "no threshold `lesion-val`, since the cohort has no lesion validation cases" in section(report, "## Notes")


def test_the_ceiling_stands_on_every_board_of_lesions(report: str) -> None:
    for cohort in ("Patients (`patients`)", "Inpatients (`inpatients`)"):
        for part in report.split(f"### {cohort}\n")[1:3]:
            assert "*perfect map (ceiling)*" in part.split("\n#")[0]


def test_the_oracle_stands_apart_and_nothing_of_it_is_bold(report: str) -> None:
    matrices = report.split("## Mean Dice by")[1].split("\n## ")[0]
    for table in matrices.split("\n\n"):
        if "oracle" in table:
            assert "lesion-val" not in table
            assert "**" not in table
    assert matrices.count("has seen the test labels") == 2


def test_in_domain_is_the_cohort_fitted_on(report: str) -> None:
    alarms = section(report, "### Volunteers (`volunteers`), in-domain: the cohort that the methods were fitted on")
    assert cells_of(alarms, "thresh")[2] == "2"
    assert "out-of-domain" not in report


def test_a_failed_cell_is_missing_in_the_tables_and_named_in_the_notes(
    tmp_path: Path, data: Path, plugin: None
) -> None:
    report = make(tmp_path / "run", data, failing=[("ae[size=48]", "patients")]).report(pictures=[])
    line = cells_of(section(report, "### Patients (`patients`)"), "ae")
    assert {*line[1:]} == {"-"}
    notes = section(report, "## Notes")
    assert "seed 0: **failed** in predict (ValueError: got a NaN\\_map)." in notes
    assert "5 of 6 done" in report


def test_a_run_in_which_all_failed_still_has_a_report(tmp_path: Path, data: Path, plugin: None) -> None:
    report = make(tmp_path / "run", data, failing=[(m, c) for m in ("thresh", "ae[size=48]") for c in COHORTS]).report(
        pictures=[]
    )
    assert "0 of 6 done" in report
    assert section(report, "## Notes").count("**failed**") == 6


def test_several_seeds_carry_no_badge(tmp_path: Path, data: Path, plugin: None) -> None:
    report = make(tmp_path / "run", data, seeds=(0, 1)).report(pictures=[])
    assert "**Single seed**" not in report
    assert "| Dice over seeds" in report


def test_without_a_test_split_every_heading_says_validation(tmp_path: Path, data: Path, plugin: None) -> None:
    report = make(tmp_path / "run", data, splits=("val",)).report(pictures=[])
    headings = [line for line in report.splitlines() if line.startswith("#")]
    assert all("# VALIDATION: " in heading for heading in headings)
    assert cells_of(section(report, "### VALIDATION: Patients (`patients`)"), "thresh")[1] == "2 (3 scans)"


def test_every_cohort_has_its_picture_with_attribution(finished: Made, report: str) -> None:
    gallery = report.split("## Gallery")[1]
    for name in COHORTS:
        assert f"](figures/gallery-{name}.png)" in gallery
        assert (finished.run.root / "figures" / f"gallery-{name}.png").is_file()
    assert gallery.count("simulated; licence: none; <https://example.org>") == 3


def test_cohorts_that_may_not_be_shown_leave_no_picture_behind(made: Made) -> None:
    made.report()
    report = made.report(pictures=["volunteers"])
    assert [path.name for path in (made.run.root / "figures").iterdir()] == ["gallery-volunteers.png"]
    assert report.count("asked to show no scan of this cohort") == 2


def test_an_unknown_cohort_among_the_pictures_is_refused_before_anything_is_written(made: Made) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'volunteers'"):
        made.report(pictures=["volunters"])
    assert not (made.run.root / "report.md").exists()


def test_where_the_data_are_gone_the_report_has_numbers_and_says_why_no_pictures(made: Made, tmp_path: Path) -> None:
    report = made.report(tmp_path / "nowhere")
    assert report.count("No picture: the scans that the maps were made of are not there any more.") == 3
    assert "thresh (floor)" in section(report, "### Patients (`patients`)")
    assert str(tmp_path) not in report


def test_where_the_data_have_changed_the_report_says_so(tmp_path: Path, own_data: Path, plugin: None) -> None:
    made = make(tmp_path / "run", own_data)
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace(",val,", ",test,", 1))
    assert "No picture: the scans that the maps were made of have changed since." in made.report()


def test_a_torn_map_costs_its_picture_only(made: Made) -> None:
    cell = made.study.cells[1]
    made.run.anomaly_map(cell, "patients-test-2").write_bytes(b"torn")
    assert made.report().count("No picture: a scan or a map is missing or cannot be read.") == 1


def test_configuration_and_keys_are_listed(finished: Made, report: str) -> None:
    part = section(report, "## Hyper-parameters and keys")
    assert "`size=48`" in part
    for cell in finished.study.cells:
        assert f"{cell.cohort.dataset} `{cell.key}`" in part


def test_a_run_without_rows_says_how_to_make_them(made: Made) -> None:
    (made.run.root / "rows.csv").unlink()
    with pytest.raises(MissingData, match="python -m benchmark evaluate"):
        made.report()


def test_shifted_rows_stay_out_of_the_boards(made: Made) -> None:
    before = made.report(pictures=[])
    cell = made.study.cells[1]
    path = made.run.cell(cell) / "rows.csv"
    shifted = read_rows(path)
    shifted["shift"], shifted["value"] = "gamma", 0.9
    rows = read_rows(made.run.root / "rows.csv")
    collect(made.run)
    with (made.run.root / "rows.csv").open("a") as stream:
        shifted.to_csv(stream, index=False, header=False)
    assert len(read_rows(made.run.root / "rows.csv")) > len(rows)
    assert made.report(pictures=[]) == before


def test_reports_import_no_torch() -> None:
    code = "import sys, reports.markdown; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
