"""The command line: what it lists, what it refuses in one line, and its exit codes."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from cohorts import PATIENTS, write_nifti
from commandline import STUDY, Program, refused
from studies import read_table, stamps
from typer.testing import CliRunner

from benchmark import __version__
from benchmark.commands.main import app
from benchmark.commands.methods import list_known
from benchmark.execution import fit_methods
from benchmark.execution import score_cells as scoring
from benchmark.storage.folder import FORMAT
from datasets.io.atomic import read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("methods", "cddpm"),
        ("methods", "mean-distance"),
        ("datasets", "msl"),
        ("datasets", "patients"),
        ("metrics", "auprc"),
        ("protocols", "lesion-val"),
        ("postprocessing", "light"),
        ("shifts", "gamma"),
        ("sections", "verdict"),
        ("formats", "html"),
    ],
)
def test_lists_have_names_and_titles_as_text_and_as_json(program: Program, kind: str, name: str) -> None:
    text, as_json = program("list", kind), program("list", kind, "--json")
    assert text.exit_code == as_json.exit_code == 0
    listed = json.loads(as_json.stdout)
    (found,) = [one for one in listed if one["name"] == name]
    assert found["title"]
    assert all(one["name"] and one["title"] for one in listed)
    assert len(text.stdout.splitlines()) == len(listed)
    assert any(line.split()[0] == name and found["title"] in line for line in text.stdout.splitlines())


def test_a_broken_cohort_is_listed_as_broken_beside_the_sound_ones(program: Program) -> None:
    titles = {one["name"]: one["title"] for one in json.loads(program("list", "datasets", "--json").stdout)}
    assert titles["broken"].startswith("BROKEN: Dataset 'broken'")
    assert titles["patients"] == "Patients"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ("--methods", "mean-distence"),
            "No method 'mean-distence'. Did you mean 'mean-distance'? Available: absent, ae",
        ),
        (("--datasets", "patinets"), "No dataset 'patinets'. Did you mean 'patients'? Available: atlas, brats"),
        (("--healthy", "volunters"), "No dataset 'volunters'. Did you mean 'volunteers'?"),
        (("--preset", "quik"), "No preset 'quik'. Did you mean 'quick'? Available: paper, quick, small."),
        (("--methods", "mean-distance[powr=1]"), "called 'powr'. Did you mean 'power'? Available: power, sides."),
        (("--methods", "mean-distance[power=x]"), "Method 'mean-distance', power: got 'x', expected: Input should be"),
        (
            ("--protocols", "lesion-vol"),
            "No protocol 'lesion-vol'. Did you mean 'lesion-val'? Available: healthy-alarm-10",
        ),
        (
            ("--postprocessing", "ligth"),
            "No post-processing 'ligth'. Did you mean 'light'? Available: light, none, paper",
        ),
        (("--rerun", "fialed"), "'fialed'. Did you mean 'failed'? Available: all, failed, missing."),
        (("--precision", "fp3"), "'fp3'. Did you mean 'fp32'? Available: bf16, fp16, fp32."),
        (("--seeds", "0-x"), "--seeds: got '0-x', expected numbers and ranges such as 0-2 or 0,3,5."),
        (("--seeds", "1,1"), "--seeds: got '1,1', expected each seed once."),
        (("--device", "cuba"), "--device: got 'cuba'"),
        (("--config", "absent.toml"), "--config absent.toml: no file that can be read"),
        (
            ("--methods", "broken"),
            "Method 'broken' (package_that_is_not_installed:Detector, uadbench-tests 1.0) cannot",
        ),
        (
            ("--datasets", "broken"),
            "Dataset 'broken' (package_that_is_not_installed:COHORT, uadbench-tests 1.0) cannot be imported",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    program: Program, data: Path, tmp_path: Path, changes: tuple[str, str], message: str
) -> None:
    out = tmp_path / "out"
    assert message in refused(program("run", *STUDY, "--data", data, "--out", out, *changes))
    assert not list(out.glob("[cf]*"))


def test_a_misspelt_list_is_one_line(program: Program) -> None:
    assert "'metods'. Did you mean 'methods'?" in refused(program("list", "metods"))


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--limit", "x"), ("--slice-batch", "0"), ("--limt", "3")])
def test_options_that_do_not_parse_are_exit_code_2(program: Program, data: Path, arguments: tuple[str, str]) -> None:
    result = program("run", *STUDY, "--data", data, *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_missing_data_say_what_was_looked_for_where_and_what_stands_in(program: Program, tmp_path: Path) -> None:
    result = program("run", *STUDY, "--data", tmp_path / "nowhere")
    assert result.exit_code == 2
    for part in (str(tmp_path / "nowhere/volunteers/cases.csv"), PATIENTS.how_to_get, "--datasets phantom"):
        assert part in result.stderr


def test_the_data_folder_can_be_an_environment_variable(
    program: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UADBENCH_DATA", str(data))
    assert program("run", *STUDY, "--dry-run").exit_code == 0


def test_the_long_name_of_a_cohort_is_taken_too(program: Program, tmp_path: Path) -> None:
    result = program("run", *STUDY, "--datasets", "mslub", "--healthy", "msl", "--data", tmp_path)
    assert str(tmp_path / "msl" / "cases.csv") in result.stderr


def test_a_dry_run_shows_the_cells_and_leaves_nothing(program: Program, data: Path, tmp_path: Path) -> None:
    before = stamps(data, "*")
    result = program("run", *STUDY, "--seeds", "0-1", "--data", data, "--dry-run")
    assert result.exit_code == 0
    *cells, last, left = result.stdout.splitlines()
    assert [line.split()[:6] for line in cells] == [
        ["missing", "mean-distance", "seed", seed, dataset, count]
        for seed in "01"
        for dataset, count in (("volunteers", "5"), ("patients", "6"))
    ]
    assert left.startswith("To do: 2 fits and maps of 22 cases")
    assert last.startswith("4 cells of 2 fits, 0 done.")
    assert "runs/volunteers-t1-quick" in last
    assert list(tmp_path.rglob("runs")) == []
    assert stamps(data, "*") == before


@pytest.mark.usefixtures("no_report")
def test_a_dry_run_refuses_what_the_run_would(program: Program, data: Path) -> None:
    assert program("run", *STUDY, "--data", data, "--out", "run", "--limit", "1").exit_code == 0
    assert "limit 1, expected None" in refused(program("run", *STUDY, "--data", data, "--out", "run", "--dry-run"))


def test_a_run_a_second_run_an_evaluation_and_a_report(program: Program, data: Path) -> None:
    first = program("run", *STUDY, "--data", data, "--out", "run")
    assert first.exit_code == 0, first.output
    report = Path(first.stdout.splitlines()[-1].removeprefix("Report: "))
    assert report.is_file()
    assert "mean-distance" in report.read_text()
    rows = Path("run/rows.csv").read_bytes()

    plain = [one for one in STUDY if one not in ("--pictures", "")]
    program("run", *plain, "--data", data, "--out", "run")
    written = report.stat().st_mtime_ns
    second = program("run", *plain, "--data", data, "--out", "run")
    assert second.exit_code == 0
    assert report.stat().st_mtime_ns == written
    assert second.stdout.splitlines()[0] == "Nothing to do: 2 of 2 cells done."

    shown = program("run", *STUDY, "--data", data, "--out", "run", "--dry-run").stdout
    assert "2 cells of 1 fit, 2 done." in shown

    assert program("evaluate", "run").exit_code == 0
    assert Path("run/rows.csv").read_bytes() == rows

    report.unlink()
    assert program("report", "run", "--pictures", "").exit_code == 0
    assert report.is_file()


@pytest.mark.usefixtures("no_report")
def test_who_would_train_published_networks_for_hours_on_a_cpu_is_offered_small_ones(
    program: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = {"": 30 * 3600.0, "small": 1800.0}
    monkeypatch.setattr(fit_methods, "training_seconds", lambda context, preset: {"mean-distance": hours[preset]})
    options = ("--methods", "mean-distance", "--datasets", "patients", "--data", data, "--pictures", "")
    small = (
        "takes about 30 h (mean-distance 30.0 h). On the same grid, --preset small trains narrower ones in about 0.5 h"
    )
    for preset, told in (("paper", True), ("quick", False)):
        result = program("run", *options, "--preset", preset, "--out", f"run-{preset}", "--device", "cpu")
        assert result.exit_code == 0, result.output
        assert (small in result.stderr) == told


@pytest.mark.usefixtures("no_report")
def test_a_name_given_twice_counts_once(program: Program, data: Path) -> None:
    program(
        "run", *STUDY, "--data", data, "--out", "run", "--protocols", "oracle,oracle", "--postprocessing", "none,none"
    )
    rows = [tuple(row.values()) for row in read_table(Path("run/rows.csv"))]
    assert len(set(rows)) == len(rows)


@pytest.mark.usefixtures("no_report")
def test_failed_cells_are_exit_code_1_and_named(program: Program, data: Path) -> None:
    methods = ("--methods", "untrainable,mean-distance")
    for _ in range(2):
        result = program("run", *STUDY, *methods, "--data", data, "--out", "run")
        assert result.exit_code == 1
        assert "2 cells failed: untrainable on volunteers (seed 0), untrainable on patients" in result.stderr
        assert "Traceback" not in result.output
    assert program("evaluate", "run").exit_code == 1


@pytest.mark.usefixtures("no_report")
def test_an_evaluation_that_fails_is_exit_code_1(program: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("run", *STUDY, "--data", data, "--out", "run")
    monkeypatch.setattr(scoring, "evaluate_cell", None)
    assert program("evaluate", "run").exit_code == 1


@pytest.mark.usefixtures("no_report")
def test_runs_that_cannot_be_continued_are_refused(program: Program, data: Path) -> None:
    program("run", *STUDY, "--data", data, "--out", "run")
    line = refused(program("run", *STUDY, "--data", data, "--out", "run", "--limit", "1"))
    assert "--out run: got a run with limit None, expected 1" in line
    write_json(Path("run/study.json"), {**read_json(Path("run/study.json")), "format": 0})
    for command in (("run", *STUDY, "--data", data, "--out", "run"), ("evaluate", "run"), ("report", "run")):
        told = f"run/study.json: got run format 0, written by uadbench {__version__}, expected {FORMAT}"
        assert told in refused(program(*command))
    Path("foreign").mkdir()
    Path("foreign/thesis.tex").touch()
    line = refused(program("run", *STUDY, "--data", data, "--out", "foreign"))
    assert "got a folder that holds thesis.tex" in line
    assert "No run at absent" in refused(program("evaluate", "absent"))


def test_a_run_that_was_refused_before_it_began_is_no_run_yet(program: Program, own_data: Path) -> None:
    (own_data / "patients" / "t1" / "patients-val-0.nii.gz").write_bytes(b"torn")
    refused(program("run", *STUDY, "--data", own_data, "--out", "run"))
    for command in ("evaluate", "report"):
        assert "No run at run" in refused(program(command, "run"))


def shape_of_another(path: Path) -> None:
    write_nifti(path, np.ones((16, 16, 11), np.uint8))


def affine_of_another(path: Path) -> None:
    volume = np.asarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj)
    nibabel.nifti1.Nifti1Image(volume, np.diag([4.0, 4.0, 3.0, 1.0])).to_filename(path)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def undefined(path: Path) -> None:
    volume = nibabel.nifti1.Nifti1Image.from_filename(path).get_fdata().astype(np.float32)
    volume[3, 3, 3] = np.nan
    write_nifti(path, volume)


@pytest.mark.parametrize(
    ("kind", "damage", "reason"),
    [
        ("lesion_mask", shape_of_another, "got shape (16, 16, 11), expected (16, 16, 12) as in"),
        ("brain_mask", shape_of_another, "got shape (16, 16, 11), expected (16, 16, 12) as in"),
        ("lesion_mask", affine_of_another, "got affine"),
        ("t1", torn, "got a file that cannot be read"),
        ("t1", undefined, "got 1 NaN or infinite voxel"),
    ],
)
@pytest.mark.usefixtures("no_report")
def test_a_bad_file_is_named_and_what_was_done_stays(
    program: Program, own_data: Path, kind: str, damage: Callable[[Path], None], reason: str
) -> None:
    study = ("run", *STUDY, "--data", own_data, "--out", "run")
    assert program(*study).exit_code == 0
    before = stamps(Path("run"), "*.*")
    path = own_data / "patients" / kind / "patients-test-1.nii.gz"
    damage(path)
    line = refused(program(*study))
    assert f"{path}: {reason}" in line
    assert stamps(Path("run"), "*.*") == before


@pytest.mark.usefixtures("no_report")
def test_a_cohort_without_validation_lesions_runs(program: Program, data: Path) -> None:
    result = program("run", *STUDY, "--datasets", "inpatients", "--data", data, "--out", "run")
    assert result.exit_code == 0, result.output
    rows = read_table(Path("run/rows.csv"))
    thresholds = {
        row["protocol"]: row["value"] for row in rows if row["metric"] == "threshold" and row["dataset"] == "inpatients"
    }
    assert thresholds["lesion-val"] == "nan"
    assert float(thresholds["oracle"]) > 0


@pytest.mark.parametrize("kind", ["methods", "metrics", "shifts", "protocols"])
def test_a_list_fits_the_terminal(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    list_known(kind)
    whole = capsys.readouterr().out
    assert max(map(len, whole.splitlines())) > 80
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    list_known(kind)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert re.findall(r"\w+", shown) == re.findall(r"\w+", whole)


def test_help_shows_brackets_examples_and_flags_without_a_value_in_groups(program: Program) -> None:
    shown = {command: program(*command, "--help").stdout for command in ((), ("run",), ("compare",), ("report",))}
    assert not any("<bool>" in text for text in shown.values())
    run = shown["run",]
    assert "name[field=value]" in run
    assert "smooth[smoothing=2]" in run
    assert all("Example: python -m benchmark" in text for command, text in shown.items() if command)
    ungrouped = run.partition("Options ─")[2].partition("╰")[0]
    assert re.findall(r"--[a-z-]+", ungrouped) == ["--config", "--like", "--help"]
    assert all(f" {short} " in run for short in ("-m", "-d", "-p", "-s", "-o", "-h"))
    assert all(f" {short} " in shown[()] for short in ("-q", "-v"))
    assert __version__ in program("--version").stdout


@pytest.mark.parametrize(
    ("words", "known"), [("run -m cd", "cddpm"), ("run -m thresh,cd", "thresh,cddpm"),
                         ("run -d phantom-g", "phantom-glioma"),
                         ("report runs/fi", "runs/first")]
)  # fmt: skip
def test_a_shell_completes_methods_cohorts_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, known: str
) -> None:
    (tmp_path / "runs/first").mkdir(parents=True)
    (tmp_path / "runs/first/study.json").touch()
    monkeypatch.chdir(tmp_path)
    line = ["uadbench", *words.split()]
    asked = {"_UADBENCH_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
    told = CliRunner().invoke(app, [], env=asked, prog_name="uadbench").stdout
    assert known in told.split()
