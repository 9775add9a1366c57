"""`evaluate --scores`: maps made anew of kept reconstructions, without inference, under thresholds of their own."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from commandline import call, refused
from detectors import MeanDistance
from studies import Runner, read_table, stamps

from benchmark.methods.detector import Detector
from benchmark.postprocessing.scores import SCORES, ReconstructedScan, healthy_residuals
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_residuals, read_volume
from benchmark.storage.run_record import Scoring, cell_state, kept_cells, kept_scoring, reopen
from benchmark.study.cells import Cell
from benchmark.verification.verify import verify_run
from datasets.errors import BadFile
from datasets.grid import GRIDS
from datasets.loading import load_case

PIPELINES = ("light", "none")
METRICS = ("dice", "auprc", "auprc_pooled", "lesion_f1", "alarm_fraction", "l1")
SHIFTS = "halved=0.5"
Rows = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Scored:
    """A run of a method whose map is its residual and of one whose map is noise, scored by every score.

    Attributes:
        plain: its rows before that.
        refusal: what `evaluate` says where no residuals have been made yet.
        unchanged: maps, reconstructions and fits, by the time they were written, before and after.
    """

    run: RunFolder
    plain: Rows
    rows: Rows
    refusal: str
    residuals: str
    unchanged: tuple[dict[str, int], dict[str, int]]

    @property
    def healthy(self) -> Cell:
        """The cell of the healthy cohort of the first method."""
        return next(one for one in kept_cells(self.run) if one.cohort == one.fit.healthy)


@pytest.fixture(scope="module")
def scored(data: Path, plugin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scored]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.setitem(GRIDS, "quick", TINY)
        scoring = Scoring(PIPELINES, ("lesion-val", "healthy-fpr-5", "oracle"), METRICS)
        runner = Runner(data, tmp_path_factory.mktemp("scores") / "run", scoring)
        assert runner.run("mean-distance,noisy", shifts=SHIFTS) == []
        plain, before = runner.rows(), kept_files(runner.out)
        evaluate = ("evaluate", runner.out, "--pictures", "", "--scores", ",".join(SCORES.built_in))
        refusal = refused(call(*evaluate))
        residuals = call("residuals", runner.out).output
        with pytest.MonkeyPatch.context() as without:
            for name in ("map_and_reconstruction", "anomaly_map", "reconstruction", "__init__"):
                without.setattr(MeanDistance, name, None)
                without.setattr(Detector, name, None)
            result = call(*evaluate)
        assert result.exit_code == 0, result.output
        yield Scored(runner.folder, plain, runner.rows(), refusal, residuals, (before, kept_files(runner.out)))


def kept_files(folder: Path) -> dict[str, int]:
    found = stamps(folder, "*/*/maps/*") | stamps(folder, "*/*/reconstructions/*") | stamps(folder, "fits/*/*")
    return {name: found[name] for name in sorted(found)}


def by_name(rows: Rows, postprocessing: str) -> dict[tuple[str, ...], float]:
    """The numbers of the first method after one pipeline, by what else tells them apart."""
    beside = ("postprocessing", "value", "key", "revision", "flags")
    return {
        tuple(value for name, value in row.items() if name not in beside): float(row["value"])
        for row in rows
        if row["postprocessing"] == postprocessing and row["method"] == "mean-distance"
    }


def test_scores_change_no_file_and_no_row_that_was_there_and_launch_no_inference(scored: Scored) -> None:
    before, after = scored.unchanged
    assert before == after
    assert [row for row in scored.rows if ":" not in row["postprocessing"]] == scored.plain
    keys = [{row["key"] for row in scored.rows if row["postprocessing"] == name} for name in ("none", "l1:none")]
    assert keys[0]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_l1_gives_the_rows_of_the_kept_maps_under_a_shift_too(scored: Scored, pipeline: str) -> None:
    kept, again = by_name(scored.rows, pipeline), by_name(scored.rows, f"l1:{pipeline}")
    assert kept.keys() == again.keys()
    assert len({name[3] for name in kept}) == 2
    for name, value in kept.items():
        assert again[name] == pytest.approx(value, abs=1e-4, nan_ok=True), name


def test_each_score_has_thresholds_of_its_own_maps(scored: Scored) -> None:
    quantiles = []
    for one in reopen(scored.run, None).mapped_cases(scored.healthy):
        if one.split == "val":
            case = load_case(one, scored.healthy.fit.grid)
            kept = read_volume(scored.run.reconstruction(scored.healthy, one.case_id))
            darker = np.maximum(kept - case.image[0], 0)[case.brain_mask].astype(np.float64)
            quantiles.append(np.quantile(darker, 0.95))
    found = [
        value
        for name, value in by_name(scored.rows, "darker:none").items()
        if {"threshold", "healthy-fpr-5", "none"} <= set(name)
    ]
    assert len(quantiles) == 3
    assert [*set(found)] == [pytest.approx(np.mean(quantiles), rel=1e-3)]  # in both cohorts


def test_a_method_whose_map_is_no_residual_says_so_and_is_done(scored: Scored) -> None:
    assert {row["method"] for row in scored.rows if row["postprocessing"] == "l1:light"} == {
        "mean-distance",
        "perfect-map",
    }
    scoring = kept_scoring(scored.run)
    assert scoring.postprocessing == (*PIPELINES, *(f"{score}:{name}" for score in SCORES for name in PIPELINES))
    assert {cell_state(scored.run, cell, scoring) for cell in kept_cells(scored.run)} == {"done"}
    lines = read_table(scored.run.root / "summary.csv")
    blank = [one for one in lines if one["method"] == "noisy" and one["postprocessing"] == "l1:light"]
    assert {one["metric"] for one in blank} >= {"dice", "auprc"}
    assert {(one["n"], one["mean"]) for one in blank} <= {("0", ""), ("0", "nan")}
    report = (scored.run.root / "report.md").read_text(encoding="utf-8")
    assert "noisy: scores `l1`, `darker`, `brighter`, `ssim`, `standardised` are n/a" in report
    section = report.partition("<summary>Anomaly scores</summary>")[2].partition("</details>")[0]
    lines_of_noisy = [line for line in section.splitlines() if line.startswith("| noisy")]
    assert [line.count("n/a") for line in lines_of_noisy] == [2 * len(SCORES.built_in)] * len(PIPELINES)


def test_standardised_waits_for_residuals_which_are_made_once_beside_the_maps(scored: Scored) -> None:
    assert "got no residuals of healthy training scans" in scored.refusal
    assert scored.refusal.endswith(f"python -m benchmark residuals {scored.run.root}")
    assert "mean-distance (seed 0): 3 training scans" in scored.residuals
    folders = {path.parent.name for path in scored.run.root.glob("cells/*/healthy-residuals")}
    assert folders == {scored.healthy.name}
    assert len({name[3] for name in by_name(scored.rows, "standardised:none")}) == 2
    checks = list(verify_run(scored.run, None, sample=None, device="cpu"))
    assert [check.faults for check in checks] == [()] * len(checks)


def test_healthy_residuals_are_those_of_the_training_scans_alone(scored: Scored) -> None:
    fit = scored.healthy.fit
    cases = [load_case(one, fit.grid) for one in reopen(scored.run, None).training_cases(fit, "train")]
    mean = np.mean([case.image[0] for case in cases], axis=0)
    expected = healthy_residuals(ReconstructedScan(case.image[0], mean, case.brain_mask) for case in cases)
    found = read_residuals(scored.run.healthy_residuals(scored.healthy))
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(found.spread, expected.spread, atol=1e-4)


def test_residuals_that_are_not_as_they_were_written_are_refused(scored: Scored, tmp_path: Path) -> None:
    folder = shutil.copytree(scored.run.healthy_residuals(scored.healthy), tmp_path / "residuals")
    shutil.copyfile(folder / "spread.nii.gz", folder / "mean.nii.gz")
    with pytest.raises(BadFile, match=r"mean\.nii\.gz: got digest .*benchmark residuals RUN"):
        read_residuals(folder)


def test_a_cell_that_is_mapped_anew_loses_the_residuals_of_its_old_fit(
    scored: Scored, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(scored.run.root, tmp_path / "run")
    runner = Runner(data, tmp_path / "run", Scoring(("none",), ("lesion-val",), ("dice",)))
    runner.run("mean-distance,noisy", shifts=SHIFTS, rerun="all")
    assert not list(runner.out.glob("cells/*/healthy-residuals"))
    shutil.rmtree(tmp_path / "run")
    runner.run("noisy")
    assert "got no method whose maps are |image - reconstruction|" in refused(call("residuals", runner.out))
