"""Studies without healthy scans, with several healthy cohorts, without each of them in turn, and on fewer scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohorts import PATIENTS, VOLUNTEERS, write_case, write_cohort
from studies import Runner

from benchmark.analysis.summaries.make import summarise
from benchmark.analysis.summaries.patient_detection import NO_OTHER_SITE, OF_LABELS
from benchmark.storage.run_record import kept_cells
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path
from benchmark.study.cells import NOT_AVAILABLE, Fit, as_stored, key_of
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.cohorts import catalog
from datasets.errors import BadValue, MissingData
from reports.api import terminal_text, write_report

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_USER_COHORTS", {})


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


@pytest.fixture
def visitors(tmp_path: Path) -> str:
    """Healthy people of another site, as an argument of the command line."""
    write_cohort(tmp_path, replace(VOLUNTEERS, name="visitors"), {"train": 2, "val": 2, "test": 3})
    return f"visitors={tmp_path / 'visitors'}"


def request(data: Path, **asked: object) -> Request:
    return Request(**{"methods": "mean-distance", "datasets": "patients", "data": data, "preset": "quick"} | asked)  # type: ignore[arg-type]


def numbers(study: Runner, metric: str, protocol: str, dataset: str = "patients") -> dict[tuple[str, ...], float]:
    """By method, pipeline and case."""
    return {
        (row["method"], row["postprocessing"], row["case_id"]): float(row["value"])
        for row in study.rows()
        if (row["metric"], row["protocol"], row["dataset"]) == (metric, protocol, dataset)
    }


def test_without_healthy_scans_maps_and_scores_are_the_same_and_the_rest_is_not_available(
    study: Runner, data: Path, tmp_path: Path
) -> None:
    assert study.run("thresh,prior", healthy="none") == []
    usual = Runner(data, tmp_path / "usual")
    assert usual.run("thresh,prior") == []
    assert {cell.cohort.dataset for cell in kept_cells(study.folder)} == {"patients"}
    assert numbers(study, "dice", "lesion-val") == numbers(usual, "dice", "lesion-val") != {}
    assert np.isnan(list(numbers(study, "threshold", "healthy-fpr-5").values())).all()

    summarise(study.folder, None)
    lines = read_lines(summary_path(study.out), SummaryLine)
    told = lines[(lines["protocol"] == "healthy-fpr-5") & (lines["metric"] == "dice")]
    assert set(zip(told["method"], told["unavailable"], told["healthy"], strict=True)) == {
        (method, NOT_AVAILABLE, "none") for method in ("thresh", "prior")
    }
    (report,) = write_report(study.folder, None, pictures=[])
    for text in (report.read_text(), " ".join(terminal_text(study.folder).split())):
        assert f"Threshold healthy-fpr-5, in-domain false positives: {NOT_AVAILABLE}." in text.replace("`", "")
    table = report.read_text().partition("## Mean Dice by post-processing and threshold")[2].partition("\n## ")[0]
    for method in ("thresh", "prior"):
        cells = next(line for line in table.splitlines() if line.startswith(f"| {method}")).split("|")
        assert [cell.strip() == NOT_AVAILABLE for cell in cells[2:6]] == [False, True, False, True]


def test_methods_that_learn_from_healthy_scans_are_refused_by_name_with_the_command_that_mends_it(data: Path) -> None:
    with pytest.raises(BadValue) as caught:
        plan(request(data, methods="thresh,mean-distance", healthy="none", sequence="t1"))
    assert "got mean-distance, trained on healthy scans" in str(caught.value)
    left = "python -m benchmark run --methods thresh --datasets patients --sequence t1 --healthy none --preset quick"
    assert f"{left} --data {data}" in str(caught.value)
    with pytest.raises(BadValue, match="no training: thresh, edge, prior"):
        plan(request(data, healthy="none"))
    with pytest.raises(BadValue, match="--folds: got --healthy none"):
        plan(request(data, methods="edge", healthy="none", folds=2))


def test_where_healthy_scans_lack_the_sequence_the_way_without_them_is_told(data: Path) -> None:
    told = "run --methods thresh --datasets patients --sequence flair --healthy none --preset quick"
    with pytest.raises(MissingData, match=told):
        plan(request(data, methods="thresh,mean-distance", sequence="flair"))
    with pytest.raises(MissingData) as caught:  # nor has the cohort with lesions
        plan(request(data, methods="thresh", sequence="t2"))
    assert "Without healthy scans" not in str(caught.value)


def test_where_healthy_scans_are_missing_a_mixed_cohort_is_named_to_learn_from(own_data: Path) -> None:
    table = own_data / "patients" / "cases.csv"
    header, *lines = table.read_text().splitlines()
    healthy = [f"{name},{name},{split},t1,here,yes" for name, split in (("a", "train"), ("b", "val"))]
    table.write_text("\n".join([f"{header},healthy", *(f"{line},no" for line in lines), *healthy]) + "\n")
    for name in ("a", "b"):
        write_case(own_data / "patients", name, lesion=False)
    mixed = f"mixed={own_data / 'patients'}"
    with pytest.raises(MissingData) as caught:
        plan(request(own_data, methods="thresh,mean-distance", datasets=mixed, healthy="oasis", sequence="t1"))
    told = f"{mixed} has healthy scans: python -m benchmark run --methods thresh,mean-distance --datasets {mixed} "
    assert f"{told}--sequence t1 --healthy {mixed} --preset quick" in str(caught.value)
    assert "Without healthy scans: python -m benchmark run --methods thresh --datasets" in str(caught.value)
    with pytest.raises(MissingData) as caught:  # nothing of the healthy cohort is missing
        plan(request(own_data, methods="thresh", datasets=f"{mixed},oasis", healthy="volunteers", sequence="t1"))
    assert "has healthy scans" not in str(caught.value)
    assert "Without healthy scans" not in str(caught.value)


def test_several_healthy_cohorts_are_learnt_from_and_give_thresholds_together(
    study: Runner, data: Path, tmp_path: Path, visitors: str
) -> None:
    assert study.run("thresh,mean-distance", healthy=f"volunteers,{visitors}") == []
    fits = {cell.fit.method: cell.fit for cell in kept_cells(study.folder)}
    assert fits["mean-distance"].fitted_on == "volunteers+visitors"
    planned = plan(request(data, healthy=f"volunteers,{visitors}"))
    assert {case.case_id for case in planned.training_cases(planned.fits[0], "train")} == {
        *(f"volunteers-train-{at}" for at in range(3)), *(f"visitors-train-{at}" for at in range(2))
    }  # fmt: skip

    apart = {}
    for name, healthy in (("volunteers", "volunteers"), ("visitors", visitors)):
        alone = Runner(data, tmp_path / f"on-{name}")
        alone.run("thresh", healthy=healthy)
        apart[name] = numbers(alone, "threshold", "healthy-fpr-5")
    for key, value in numbers(study, "threshold", "healthy-fpr-5").items():
        if key[0] == "thresh":  # three and two validation scans
            assert value == pytest.approx((3 * apart["volunteers"][key] + 2 * apart["visitors"][key]) / 5, rel=1e-6)


def test_each_site_is_left_out_in_turn_and_is_then_another_site(
    study: Runner, data: Path, tmp_path: Path, visitors: str
) -> None:
    assert study.run("mean-distance", healthy=f"volunteers,{visitors}", leave_one_site_out=True) == []
    fitted = {cell.fit.method: cell.fit.fitted_on for cell in kept_cells(study.folder)}
    assert fitted == {"mean-distance-without-volunteers": "visitors", "mean-distance-without-visitors": "volunteers"}
    alone = Runner(data, tmp_path / "alone")
    alone.run("mean-distance", healthy="volunteers")
    for (method, *place), value in numbers(study, "dice", "lesion-val").items():
        if method.endswith("without-visitors"):
            assert value == numbers(alone, "dice", "lesion-val")["mean-distance", *place]

    summarise(study.folder, None)
    lines = read_lines(summary_path(study.out), SummaryLine)
    told = lines[(lines["metric"] == "alarm_fraction") & (lines["kind"] == "mean") & (lines["dataset"] == "visitors")]
    assert {*zip(told["method"], told["healthy"], strict=True)} == set(fitted.items())
    assert "in-domain for the methods that were fitted on it" in write_report(study.folder, None)[0].read_text()
    with pytest.raises(BadValue, match="--leave-one-site-out: got one healthy cohort, volunteers"):
        plan(request(data, leave_one_site_out=True))


def test_training_scans_are_nested_and_enter_keys_where_they_are_given(data: Path) -> None:
    whole, few, fewer = (plan(request(data, methods="mean-distance,thresh", training_scans=n)) for n in (None, 2, 1))
    train = [{case.case_id for case in one.training_cases(one.fits[0], "train")} for one in (fewer, few, whole)]
    assert train[0] < train[1] < train[2]
    assert [fit.method for fit in few.fits] == ["mean-distance-2-scans", "thresh"]
    assert len({one.fits[0].key for one in (whole, few, fewer)}) == 3
    assert {one.fits[1].key for one in (whole, few, fewer)} == {whole.fits[1].key}  # thresh learns nothing
    for split in ("val", "test"):
        assert len({tuple(c.case_id for c in one.training_cases(one.fits[0], split)) for one in (whole, few)}) == 1
    with pytest.raises(BadValue, match="--training-scans: got 4, expected at most 3"):
        plan(request(data, training_scans=4))


def test_fields_that_a_fit_leaves_open_stand_in_no_key_and_no_record(data: Path) -> None:
    fit = plan(request(data)).fits[0]
    assert not {"also_healthy", "training_scans"} & as_stored(fit).keys()
    other = replace(fit.healthy, dataset="others")
    given = [replace(fit, also_healthy=(other,)), replace(fit, training_scans=2), fit]
    assert len({key_of(one) for one in given}) == 3
    assert Fit(**as_stored(given[1]) | {"healthy": fit.healthy, "grid": fit.grid}) == given[1]


def patient_lines(study: Runner) -> pd.DataFrame:
    summarise(study.folder, None)
    lines = read_lines(summary_path(study.out), SummaryLine)
    return lines[lines["kind"] == "patient auroc"]


def test_patients_are_told_from_healthy_people_of_other_sites_alone(study: Runner, tmp_path: Path) -> None:
    for name, site in (("visitors", "there"), ("guests", "here")):
        write_cohort(tmp_path, replace(VOLUNTEERS, name=name), {"test": 7})
        table = tmp_path / name / "cases.csv"
        table.write_text(table.read_text().replace(",here", f",{site}"))
    write_cohort(tmp_path, replace(PATIENTS, name="outpatients"), {"val": 2, "test": 8})
    cohorts = ",".join(f"{name}={tmp_path / name}" for name in ("outpatients", "visitors", "guests"))
    assert study.run("mean-distance,prior", cohorts, healthy="volunteers", seeds="0-1") == []
    lines = patient_lines(study)
    own = lines[lines["method"] == "mean-distance"]
    assert set(own["group"]) == {"against visitors"}  # guests were scanned where the volunteers were
    assert set(own["metric"]) == {"score_p99", "flagged_ml"}
    assert (own["n"].eq(7) & own["controls"].eq(6) & own["seeds"].eq(2)).all()  # two scans of one person each

    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in study.rows():
        if (row["method"], row["metric"], row["postprocessing"], row["split"]) == (
            "mean-distance", "score_p99", "none", "test"
        ):  # fmt: skip
            people = scores.setdefault((row["dataset"], row["seed"]), {})
            people.setdefault(row["subject_id"], []).append(float(row["value"]))
    expected = np.mean([
        np.mean([np.mean(a) > np.mean(b) for a in scores["outpatients", seed].values()
                 for b in scores["visitors", seed].values()])
        for seed in "01"
    ])  # fmt: skip
    (first,) = own[(own["metric"] == "score_p99") & (own["postprocessing"] == "none")].to_dict("records")
    assert first["mean"] == pytest.approx(expected, abs=1e-12)
    assert 0 <= first["low"] < first["mean"] <= first["high"] <= 1
    assert set(lines.loc[lines["method"] == "prior", "unavailable"]) == {OF_LABELS}
    report = write_report(study.folder, None, pictures=[])[0].read_text()
    assert "7 against 6 of visitors" in report
    (shown,) = own[(own["metric"] == "score_p99") & (own["postprocessing"] == "light")].to_dict("records")
    for text in (report, " ".join(terminal_text(study.folder).split())):
        assert f"{shown['mean']:.3f} ({shown['low']:.3f} to" in text


def test_without_healthy_people_of_another_site_it_says_why(study: Runner, data: Path, tmp_path: Path) -> None:
    assert study.run() == []
    assert set(patient_lines(study)["unavailable"]) == {NO_OTHER_SITE}
    bare = Runner(data, tmp_path / "bare")
    bare.run("thresh,prior", healthy="none")
    assert set(patient_lines(bare)["unavailable"]) == {NOT_AVAILABLE}
    text = " ".join(terminal_text(bare.folder).split())
    assert text.count(f"Patient-level AUROC on patients: {NOT_AVAILABLE}.") == 1
    assert "patient-level AUROC, post-processing" not in text  # no table without a number
