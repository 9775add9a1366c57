"""compare and multiverse on a run whose rows are written by hand, at the command line."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohorts import TINY
from commandline import Program, refused

from benchmark.analysis import compare_methods
from benchmark.analysis.compare_methods import Comparable, across_cohorts
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage import run_tables
from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.rows import Row, blank_row, read_rows
from benchmark.storage.run_record import Scoring, add_study, kept_cells
from benchmark.storage.run_tables import kept_run_rows, run_rows, write_run_rows
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path
from benchmark.study.cells import Cell, Cohort, Fit
from benchmark.study.study import Study

MEANS = {"good": 0.45, "equal": 0.45, "bad": 0.3}
pytestmark = pytest.mark.usefixtures("plugin")


def write_run(root: Path, *, n: int = 30, seeds: Sequence[int] = (0, 1, 2), split: str = "test") -> RunFolder:
    """Three methods on two cohorts; `inpatients` has a third of the patients."""
    fits = [
        Fit(name, "module:Class", {}, Cohort("volunteers", "t1", "d"), TINY, seed) for name in MEANS for seed in seeds
    ]
    splits = ("val", "test") if split == "test" else ("val",)
    cells = tuple(
        Cell(fit, Cohort(name, "t1", "d"), splits=splits)  # type: ignore[arg-type]
        for fit in fits
        for name in ("patients", "inpatients")
    )
    run = create_run(root)
    add_study(run, Study(cells, (), {}), Scoring(("light", "none"), ("healthy-fpr-1", "lesion-val", "oracle")), root)
    write_run_rows(run, "rows.csv", [row for cell in cells for row in _rows(cell, n, split)])
    return run


def _rows(cell: Cell, n: int, split: str) -> list[Row]:
    size = n if cell.cohort.dataset == "patients" else n // 3
    base = np.random.default_rng(n).normal(0, 0.1, size)
    method = cell.fit.method
    noise = np.random.default_rng([cell.fit.seed, *method.encode()]).normal(0, 0.01, size)
    values = MEANS[method] + base + noise - noise.mean()
    blank = replace(blank_row(cell), split=split, postprocessing="light")
    rows = []
    for index, value in enumerate(values):
        name = f"p{index:02d}"
        one = replace(blank, case_id=name, subject_id=name)
        rows += [
            replace(one, protocol="healthy-fpr-1", metric="dice", value=float(value)),
            replace(one, protocol="lesion-val", metric="dice", value=float(value)),
            replace(one, metric="auprc", value=float(value**2)),
            replace(one, metric="auprc", postprocessing="none", value=float(-value)),
        ]
    return rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run").root


def test_compare_prints_a_paragraph_for_each_cohort_and_writes_all_pairs_and_a_picture(
    run: Path, program: Program
) -> None:
    result = program("compare", run, "good", "bad", "-v")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "On patients, good had a mean Dice of 0.4" in said
    assert "over 30 patients (the clusters; 30 scans of 30 in the cohort) and 3 training seeds (0, 1, 2)" in said
    assert "over 10 patients" in said
    for question in ("The training procedures", "The trained models"):
        part = said.split(question, 1)[1]
        assert "mean paired difference good - bad 0.150 (95% interval" in part
        assert "measured coverage" in part
        assert "corrected for 3 comparisons" in part
        assert "good is better under both endpoints" in part
    assert "3 seeds: enough for a rank, a claim takes 5" in said
    assert "it is not the probability that a claim is false" in said
    for place in ("first", "second"):
        assert f"This is the {place} endpoint of release 0.2" in said
    assert "Across 2 cohorts (patients, inpatients), this training procedure: good - bad = 0.150" in said
    assert "good 1-2, equal 1-2, bad 3" in said
    with (run / "comparisons.csv").open(newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["metric"] == "dice"]
    assert len(lines) == 2 * 2 * 2 * 3
    assert {line["endpoint"] for line in lines} == {"first", "second"}
    wanted = ("patients", "this training procedure", "good", "equal")
    for one in lines:
        if (one["dataset"], one["question"], one["a"], one["b"]) == wanted:
            assert one["state"] == "not separable"
            assert float(one["low"]) < float(one["difference"]) < float(one["high"])
    for protocol in ("healthy_fpr_1", "lesion_val"):
        picture = run / "figures" / f"differences-good-bad-all-dice-light-{protocol}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_pairs_that_the_summary_holds_are_not_written_again_and_others_once(run: Path, program: Program) -> None:
    tables = [run / "comparisons.csv", run / "summary.csv"]
    assert program("compare", run, "good", "bad").exit_code == 0
    endpoints = [path.read_bytes() for path in tables]
    assert program("compare", run, "equal", "bad").exit_code == 0
    assert [path.read_bytes() for path in tables] == endpoints
    for _ in range(2):
        assert program("compare", run, "good", "bad", "--metric", "auprc", "--postprocessing", "none").exit_code == 0
        added = tables[0].read_bytes()
        assert added.count(b",auprc,none,") == 2 * 2 * 3
        assert added.count(b"\n") == endpoints[0].count(b"\n") + 2 * 2 * 3
        assert b",auprc,none," not in endpoints[0]
    elsewhere = run.parent / "elsewhere"
    assert program("compare", run, "good", "bad", "--out", elsewhere).exit_code == 0
    assert (elsewhere / "comparisons.csv").read_bytes().count(b"\n") == 1 + 2 * 2 * 2 * 3


def test_a_comparison_is_of_the_rows_as_they_are(run: Path, program: Program) -> None:
    assert "good is better than bad" in program("compare", run, "good", "bad").stdout
    before = (run / "comparisons.csv").read_bytes()
    rows = [replace(row, value=1 - row.value) for row in kept_run_rows(RunFolder(run))]
    write_run_rows(RunFolder(run), "rows.csv", rows)
    assert "bad is better than good" in program("compare", run, "good", "bad").stdout
    assert (run / "comparisons.csv").read_bytes() != before


def test_every_pair_across_cohorts_is_what_two_cohorts_of_one_effect_have_to_give(run: Path) -> None:
    found = {(one.a, one.b): one for one in across_cohorts(RunFolder(run), read_endpoint())}
    assert found.keys() == {("bad", "equal"), ("bad", "good"), ("equal", "good")}
    pair = found["bad", "good"]
    assert pair.cohorts == ("patients", "inpatients")
    assert pair.left_out == {}
    assert pair.low < pair.mean < pair.high
    assert pair.mean == pytest.approx(-0.15, abs=0.02)


def test_a_verdict_is_one_line_for_each_endpoint(run: Path, program: Program) -> None:
    result = program("compare", run, "bad", "go", "--dataset", "patients")
    first, second, *rest = result.stdout.replace("\n  ", " ").splitlines()
    for line, protocol in ((first, "healthy-fpr-1"), (second, "lesion-val")):
        assert line.startswith(
            f"good is better than bad on patients (dice / light / {protocol}, 30 patients): +0.150 Dice, "
        )
        assert re.search(r"95 % 0\.\d+ to 0\.\d+, p 0\.\d+ corrected$", line)
    assert [line.partition(":")[0] for line in rest] == ["All pairs", "Picture", "Picture"]
    equal = program("compare", run, "good", "equal", "--dataset", "patients").stdout
    assert equal.startswith("good is not separable from equal on patients")


def test_the_order_asked_for_is_the_order_of_the_difference(run: Path, program: Program) -> None:
    said = " ".join(program("compare", run, "bad", "good", "-v", "--dataset", "patients").stdout.split())
    assert "mean paired difference bad - good -0.150" in said
    assert "good is better" in said
    assert "Across" not in said


def test_another_metric_is_exploratory_and_has_no_margin(run: Path, program: Program) -> None:
    result = program("compare", run, "good", "equal", "-v", "--metric", "auprc", "--dataset", "patients")
    said = " ".join(result.stdout.split())
    decides = "dice / light / healthy-fpr-1, then dice / light / lesion-val, test split"
    assert f"Exploratory: release 0.2 decides on {decides}" in said
    assert "no margin was fixed for this metric" in said


def test_a_single_seed_is_no_recipe(tmp_path: Path, program: Program) -> None:
    run = write_run(tmp_path / "single", seeds=(0,)).root
    said = " ".join(program("compare", run, "good", "bad", "-v", "--dataset", "patients").stdout.split())
    assert (
        "The training procedures (patients and training seeds drawn anew, crossed): not testable, 1 training seed"
        in said
    )
    assert "good is better" in said.split("The trained models", 1)[1]


def test_few_patients_are_not_testable_but_drawn(tmp_path: Path, program: Program) -> None:
    run = write_run(tmp_path / "few", n=5).root
    result = program("compare", run, "good", "bad", "-v", "--dataset", "patients")
    assert result.exit_code == 0, result.output
    assert "not testable, 5 patients, an interval needs 6" in " ".join(result.stdout.split())
    assert list((run / "figures").glob("*.png"))


def test_a_closed_test_split_is_said_and_is_never_primary(tmp_path: Path, program: Program) -> None:
    run = write_run(tmp_path / "closed", split="val").root
    said = " ".join(program("compare", run, "good", "bad", "-v", "--dataset", "patients").stdout.split())
    assert "On patients VALIDATION cases" in said
    assert "Exploratory" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "got no method, expected two methods. Available: good,"),
        (("good",), "got 'good' alone, expected two methods. Available: good,"),
        (("good", "god"), "Did you mean 'good'?"),
        (("good", "good"), "expected two methods"),
        (("good", "bad", "--dataset", "patient"), "No cohort of this run 'patient'"),
        (("good", "bad", "--metric", "dise"), "Did you mean 'dice'?"),
        (("good", "bad", "--metric", "auprc_pooled"), "expected one that each patient has"),
        (
            ("good", "bad", "--dataset", "patients", "--postprocessing", "none"),
            "Available: light / healthy-fpr-1 / test",
        ),
        (("good", "bad", "--protocol", "healthy-fpr-5"), "No rows of dice / light / healthy-fpr-5 on patients"),
    ],
)
def test_a_mistake_is_one_line(run: Path, program: Program, arguments: Sequence[str], message: str) -> None:
    assert message in refused(program("compare", run, *arguments))


def test_multiverse_describes_every_choice_of_the_list_that_there_is(run: Path, program: Program) -> None:
    result = program("multiverse", run)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "patients: 16 universes of 3 methods" in said  # dice and auprc twice; three seeds and their mean
    assert "Described, not tested" in said
    lines = read_lines(summary_path(run), SummaryLine)
    taus = lines[lines["kind"] == "universe tau"]
    assert len(taus) == 32
    assert (taus.loc[(taus["postprocessing"] == "none") & (taus["dataset"] == "patients"), "mean"] < 0).all()
    turned = lines[(lines["kind"] == "universe") & (lines["postprocessing"] == "none")]
    means = turned[(turned["dataset"] == "patients") & (turned["group"] == "")]
    assert set(means.sort_values("mean").drop_duplicates("metric", keep="last")["method"]) == {"bad"}


def test_the_card_of_a_fit_is_read_once_however_many_cells_it_has(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def stands_aside(_run: RunFolder, fit: Fit) -> bool:
        read.append(fit.key)
        return False

    monkeypatch.setattr(compare_methods, "stands_aside", stands_aside)
    comparable = Comparable(RunFolder(run), read_endpoint())
    assert comparable.seeds == {name: {method: [0, 1, 2] for method in MEANS} for name in ("patients", "inpatients")}
    assert comparable.seeds_aside == {}
    cells = kept_cells(RunFolder(run))
    assert sorted(read) == sorted({cell.fit.key for cell in cells})
    assert len(read) < len(cells)


def test_a_table_is_read_once_and_again_when_it_is_another(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def read_noted(path: Path) -> "pd.DataFrame":
        read.append(path)
        return read_rows(path)

    monkeypatch.setattr(run_tables, "read_rows", read_noted)
    folder, rows = RunFolder(run), kept_run_rows(RunFolder(run))
    first = run_rows(folder)
    first["value"] = 0.0  # whoever changes a frame changes his own
    assert run_rows(folder)["value"].tolist() == [row.value for row in rows]
    write_run_rows(folder, "rows.csv", rows[:5])
    assert len(run_rows(folder)) == 5
    assert len(read) == 2


def test_two_runs_of_one_normalisation_are_refused(run: Path, program: Program) -> None:
    assert "expected runs that differ in it" in refused(program("multiverse", run, run))
