"""Numbers of two revisions never stand in one table: they are made anew, left out, or refused by name."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from detectors import MeanDistance
from studies import Runner

from benchmark.execution.score_cells import evaluate_study
from benchmark.inference.predict import load_detector
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.storage.fits import find_fit
from benchmark.storage.run_record import cell_state, kept_cells, reopen
from benchmark.study.protocols import PROTOCOLS
from benchmark.verification.verify import check_keys
from datasets.errors import BadValue
from datasets.registry import Registry

Counter = Callable[[type, str], Sequence[object]]

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def raise_revision(patch: pytest.MonkeyPatch, registry: Registry[Any], name: str) -> None:
    patch.setitem(registry.built_in, name, replace(registry[name], revision=2))


def revisions(study: Runner, **chosen: str) -> set[str]:
    return {row["revision"] for row in study.rows() if chosen.items() <= row.items()}


def test_rows_say_the_revisions_of_all_that_made_them(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanDistance, "revision", 3, raising=False)
    raise_revision(monkeypatch, PROTOCOLS, "oracle")
    raise_revision(monkeypatch, METRICS, "auprc")
    median, components = PIPELINES["light"].steps
    light = replace(PIPELINES["light"], steps=(replace(median, revision=2), replace(components, revision=3)))
    monkeypatch.setitem(PIPELINES.built_in, "light", light)
    study.run()
    mine = {"method": "mean-distance"}
    assert revisions(study, **mine, metric="dice", protocol="oracle", postprocessing="light") == {"3.4.2.1"}
    assert revisions(study, **mine, metric="dice", protocol="lesion-val", postprocessing="none") == {"3.1.1.1"}
    assert revisions(study, **mine, metric="auprc", postprocessing="none") == {"3.1.0.2"}
    assert revisions(study, **mine, metric="l1") == {"3.0.0.1"}
    assert revisions(study, method="perfect-map", metric="dice", postprocessing="light") == {"0.4.0.1"}
    assert check_keys(study.folder).passed


def test_a_higher_revision_of_scoring_scores_anew_and_maps_nothing(
    study: Runner, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    study.run()
    mapped = count_calls(MeanDistance, "anomaly_map")
    for registry, name in ((METRICS, "dice"), (PROTOCOLS, "oracle")):
        raise_revision(monkeypatch, registry, name)
        assert not check_keys(study.folder).passed
        assert study.run() == []
        assert check_keys(study.folder).passed
    assert revisions(study, method="mean-distance", metric="dice", protocol="oracle") == {"1.1.2.2"}
    assert not mapped


def test_rows_of_another_revision_leave_the_tables_until_they_are_scored_anew(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run(datasets="patients")
    raise_revision(monkeypatch, METRICS, "dice")
    study.run(datasets="inpatients")
    assert {row["dataset"] for row in study.rows() if row["metric"] == "dice"} == {"inpatients"}
    assert revisions(study, metric="dice") == {"1.1.1.2", "0.1.0.2"}
    (line,) = (one for one in study.log if one.startswith("mean-distance-patients"))
    assert "its rows are of another dice than this version's" in line
    assert f"python -m benchmark evaluate {study.out}" in line
    evaluate_study(reopen(study.folder, None), study.folder, study.scoring)
    assert {row["dataset"] for row in study.rows() if row["metric"] == "dice"} == {"patients", "inpatients"}


def test_a_higher_revision_of_a_method_fits_and_maps_anew(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run("mean-distance,noisy", datasets="patients,inpatients")
    keys = {cell.fit.method: cell.fit.key for cell in kept_cells(study.folder)}
    monkeypatch.setattr(MeanDistance, "revision", 2, raising=False)
    study.run("mean-distance", datasets="patients")
    cells = [cell for cell in kept_cells(study.folder) if cell.fit.method == "mean-distance"]
    assert {cell.cohort.dataset for cell in cells} == {"volunteers", "patients"}
    assert {(cell.fit.revision, cell.fit.key != keys["mean-distance"]) for cell in cells} == {(2, True)}
    assert {row["revision"][0] for row in study.rows() if row["method"] == "mean-distance"} == {"2"}
    assert all(cell_state(study.folder, cell, replace(study.scoring)) == "done" for cell in cells)


def test_a_kept_fit_of_another_revision_is_refused_by_name(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run()
    fit = find_fit("mean-distance", study.out)
    load_detector(fit, "cpu")
    monkeypatch.setattr(MeanDistance, "revision", 2, raising=False)
    with pytest.raises(BadValue, match="Method 'mean-distance': got a fit of revision 1, expected 2"):
        load_detector(fit, "cpu")


def test_what_needs_the_shifted_image_is_mapped_anew(
    study: Runner, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    study.run(shifts="gamma=0.5")
    raise_revision(monkeypatch, METRICS, "l1")
    failed = study.run(shifts="gamma=0.5")
    assert {cell.shift.label for cell in failed} == {"gamma"}
    assert revisions(study, metric="l1") == {"1.0.0.2"}
    mapped = count_calls(MeanDistance, "anomaly_map")
    assert study.run(shifts="gamma=0.5", rerun="failed") == []
    assert mapped
    assert {row["shift"] for row in study.rows() if row["metric"] == "l1"} == {"none", "gamma"}
    assert revisions(study, metric="l1") == {"1.0.0.2"}
