"""From kept maps of implants to the run's tables: what is found, what is at chance, what is restored."""

import shutil
from pathlib import Path

import implant_runs
import numpy as np
import pandas as pd
import pytest
from commandline import call
from heads import HEADS
from implant_runs import Made

from benchmark.analysis.implants import AGREEMENT, AUDIOGRAM, CONTROLS, TABLES, TRIALS, agreements, read_trials_table
from benchmark.execution.score_cells import collect
from benchmark.storage.rows import read_rows
from datasets.loading import load_case, load_host


@pytest.fixture
def made(made_of_implants: Made) -> Made:
    """To be read only."""
    return made_of_implants


@pytest.fixture
def trials(made: Made) -> pd.DataFrame:
    return read_trials_table(made.run, TRIALS)


def rows_of(made: Made, method: str, metric: str) -> pd.DataFrame:
    rows = read_rows(made.run.root / "rows.csv")
    return rows[(rows["method"] == method) & (rows["metric"] == metric) & (rows["dataset"] == "implant[heads]")]


def test_every_implant_is_a_trial_with_its_truth(made: Made, trials: pd.DataFrame) -> None:
    own = trials[trials["method"] == "difference"]
    assert len(own) == 6 * (4 + 2)
    assert own["case_id"].is_unique
    assert own.groupby("kind").size().to_dict() == {"lesion": 24, "zero": 6, "seam": 6}
    assert set(own[own["kind"] == "lesion"]["contrast"]) == {-1, -0.5, 0.5, 1}
    assert set(own["found"]) <= {0, 1}
    assert (own["found_tenth"] <= own["found"]).all()


def test_who_knows_the_healthy_scan_finds_large_lesions_at_half_a_step(made: Made) -> None:
    points = read_trials_table(made.run, AUDIOGRAM)
    own = points[(points["method"] == "difference") & (points["volume_ml"] == 24) & (points["rule"] == "found_tenth")]
    assert set(own["state"]) == {"below"}
    blind = points[(points["method"] == "blind") & (points["rule"] == "found_tenth")]
    assert set(blind["state"]) <= {"not reached", "chance"}
    assert blind["contrast"].isna().all()


def test_controls_are_at_chance_for_every_method_that_sees_the_image_alone(made: Made) -> None:
    """Texture has seen each zero and each seam; with six subjects a rate of 0.34 is two of six."""
    controls = read_trials_table(made.run, CONTROLS).set_index(["method", "kind"])
    for method in ("texture", "blind"):
        zero, seam = (controls.loc[(method, kind)] for kind in ("zero", "seam"))
        assert abs(zero["auprc_lift"]) < 0.05
        assert abs(seam["auprc_lift"]) < 0.05
        assert zero["found_tenth"] <= 0.34
        assert seam["found_tenth"] <= 0.34
    lesion = read_trials_table(made.run, TRIALS).query("method == 'difference' and kind == 'lesion'")
    assert lesion["auprc_lift"].mean() > 0.5


def test_a_reconstruction_that_is_the_healthy_scan_restores_and_a_copy_does_not(made: Made) -> None:
    errors = {
        (method, metric): rows_of(made, method, metric).set_index("case_id")["value"]
        for method in ("difference", "texture")
        for metric in ("restoration_l1", "restoration_l1_outside", "lesion_l1")
    }
    assert errors["difference", "restoration_l1"].max() < 1e-4
    assert errors["difference", "restoration_l1_outside"].max() < 1e-4
    copy, change = errors["texture", "restoration_l1"], errors["texture", "lesion_l1"]
    assert copy.to_numpy() == pytest.approx(change.to_numpy(), abs=1e-4)
    zero = [name for name in change.index if "_zero_" in name]
    assert len(zero) == 6
    assert change[zero].max() == 0
    assert change.drop(zero).min() > 0


def test_restoration_is_the_error_over_the_lesion_voxels(made: Made) -> None:
    cell = next(
        cell for cell in made.study.cells if (cell.fit.method, cell.cohort.dataset) == ("blind", "implant[heads]")
    )
    one = next(one for one in made.study.mapped_cases(cell) if "bright1_24ml" in one.case_id)
    case, host = load_case(one, implant_runs.GRID), load_host(one, implant_runs.GRID)
    assert host is not None
    assert case.lesion_mask is not None
    found = rows_of(made, "blind", "restoration_l1").set_index("case_id")["value"][one.case_id]
    assert found == pytest.approx(host[0][case.lesion_mask & case.brain_mask].mean(), abs=1e-4)


def test_scans_without_lesion_have_no_restoration_error(made: Made) -> None:
    cases = rows_of(made, "difference", "restoration_l1")["case_id"]
    assert len(cases) == 36
    assert "head-0" not in set(cases)


def test_the_tables_are_the_same_when_they_are_made_again(made: Made) -> None:
    before = {name: (made.run.root / name).read_bytes() for name in TABLES if (made.run.root / name).exists()}
    assert TRIALS in before
    collect(made.run)
    assert before == {name: (made.run.root / name).read_bytes() for name in before}


def test_a_table_of_trials_goes_when_no_cell_has_any(made: Made, tmp_path: Path) -> None:
    from benchmark.analysis.implants import join_trials
    from benchmark.storage.folder import RunFolder

    shutil.copy(made.run.root / AUDIOGRAM, tmp_path / AUDIOGRAM)
    join_trials(RunFolder(tmp_path), [])
    assert not (tmp_path / AUDIOGRAM).exists()


def real_rows(order: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    lines = [
        {"method": method, "dataset": "clinic", "shift": "none", "split": "test", "postprocessing": "paper",
         "metric": "auprc_lift", "subject_id": f"p{index}", "value": level + 0.01 * rng.standard_normal()}
        for method, level in order.items() for index in range(12)
    ]  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("order", "tau"),
    [
        ({"difference": 0.9, "texture": 0.5, "blind": 0.1}, 1.0),
        ({"difference": 0.1, "texture": 0.5, "blind": 0.9}, -1.0),
    ],
)
def test_agreement_compares_the_order_on_implants_with_that_on_a_cohort(
    trials: pd.DataFrame, order: dict[str, float], tau: float
) -> None:
    lines = [line for line in agreements(trials, real_rows(order), []) if line["score"] == "auprc_lift"]
    assert [line["tau"] for line in lines] == [tau]
    assert (lines[0]["methods"], lines[0]["subjects"], lines[0]["patients"]) == (3, 6, 12)


def test_what_has_seen_labels_takes_no_part_in_agreement(trials: pd.DataFrame) -> None:
    order = {"difference": 0.9, "texture": 0.5, "blind": 0.1}
    lines = list(agreements(trials, real_rows(order), ["texture"]))
    assert {line["methods"] for line in lines} == {2}


def test_the_command_prints_the_audiogram(made: Made) -> None:
    result = call("audiogram", made.run.root)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "(implant[heads]), post-processing paper; a lesion is found if" in said
    assert "24 ml" in said


def test_a_run_without_implants_is_told_how_to_have_some(made: Made, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_bytes((made.run.root / "study.json").read_bytes())
    result = call("audiogram", tmp_path)
    assert result.exit_code == 2
    assert "--datasets" in result.stderr


def test_a_run_without_other_lesion_cohort_has_no_agreement(made: Made) -> None:
    assert not (made.run.root / AGREEMENT).exists()
    assert HEADS.healthy
