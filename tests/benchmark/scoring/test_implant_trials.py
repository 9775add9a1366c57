"""A trial says of each implanted lesion what its own rows and its own line of the truth say."""

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest

from benchmark.scoring import implant_trials
from benchmark.scoring.implant_trials import Trial, trials_of
from benchmark.storage.rows import Row
from benchmark.study.protocols import ONE_ALARM
from datasets.simulation.implants.truth import Truth

PIPELINES = ("none", "light")
SUBJECTS = {"scan-1": "ann", "scan-2": "bob"}
METRICS = ("threshold", "found", "found_tenth", "auprc_lift")
BLANK = Row("ae", "implant[ixi]", "t1", "gamma", 0.7, 3, 5, "test", "", "", "", "", "", np.nan, "key")
TRUTHS = {
    "scan-1": Truth("scan-1", "host-1", "lesion", 1.0, 2.0, "flat", "white", "ball", 0.9, 1.8, 4.0, 5.0, 6.0),
    "scan-2": Truth("scan-2", "host-2", "control", 0.5, 0.0, "noise", "grey", "mask", 0.4, 0.1, 7.0, 8.0, 9.0),
}
VALUES = {
    name: float(at) for at, name in enumerate(product(PIPELINES, SUBJECTS, METRICS))
}  # each number stands for its place


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    monkeypatch.setattr(implant_trials, "truths_of", lambda _: TRUTHS)
    rows = [
        replace(
            BLANK,
            postprocessing=pipeline,
            protocol="" if metric == "auprc_lift" else ONE_ALARM.name,
            case_id="" if metric == "threshold" else case_id,
            subject_id=SUBJECTS[case_id],
            metric=metric,
            value=value,
        )
        for (pipeline, case_id, metric), value in VALUES.items()
    ]
    others = [replace(row, protocol="lesion-val", value=-1.0) for row in rows if row.protocol]
    hosts = [replace(row, case_id="host-1") for row in rows if row.case_id]
    return trials_of([*others, *rows, *hosts], [])


def test_each_lesion_is_tried_once_after_each_postprocessing(trials: list[Trial]) -> None:
    assert [(one.postprocessing, one.case_id) for one in trials] == list(product(PIPELINES, SUBJECTS))


def test_what_a_trial_says_is_of_its_own_rows_and_truth(trials: list[Trial]) -> None:
    known = {field.name for field in fields(Row)}
    for one in trials:
        own = [VALUES[one.postprocessing, one.case_id, metric] for metric in METRICS]
        assert [one.threshold, one.found, one.found_tenth, one.auprc_lift] == own
        row = replace(BLANK, postprocessing=one.postprocessing, case_id=one.case_id, subject_id=SUBJECTS[one.case_id])
        for name in [field.name for field in fields(Trial) if field.name not in METRICS]:
            assert getattr(one, name) == getattr(row if name in known else TRUTHS[one.case_id], name)


def test_a_metric_that_was_not_scored_is_undefined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implant_trials, "truths_of", lambda _: TRUTHS)
    row = replace(BLANK, postprocessing="none", protocol=ONE_ALARM.name, subject_id="ann", value=1.0)
    rows = [replace(row, metric="threshold"), replace(row, case_id="scan-1", metric="found")]
    (one,) = trials_of(rows, [])
    assert one.found == 1
    assert np.isnan([one.found_tenth, one.auprc_lift]).all()
