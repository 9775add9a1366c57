"""Statistics against plain loops and by hand."""

from math import isnan, nan

import numpy as np
import pandas as pd
import pytest
from cohort_rows import frame, lesion_rows, row

from benchmark.storage.rows import Row
from reports.model.numbers import geometric_mean, healthy_cases, lesion_cases, number, of_cases


def test_number_equals_plain_loops_over_seeds_patients_and_scans() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows, means, counted = list[Row](), list[float](), 0
        for fit in range(3):
            of_patients = []
            for patient in range(4):
                values = np.where(rng.random(3) < 0.3, nan, rng.random(3))
                rows += [
                    row("ae", f"p{patient}{scan}", "dice", v, "paper x", seed=fit) for scan, v in enumerate(values)
                ]
                known = values[~np.isnan(values)]
                counted += known.size
                of_patients += [known.mean()] if known.size else []
            means.append(float(np.mean(of_patients)))
        got = number(frame(rows), "dice", "paper", "x", seeds=3)
        assert got.value == pytest.approx(np.mean(means), abs=1e-12)
        assert got.seeds == pytest.approx(means, abs=1e-12)
        assert (got.defined, got.wanted) == (counted, 36)


def test_cases_with_and_without_lesion_are_told_apart() -> None:
    healthy = [row("ae", "h0", "alarm", 1.0, "paper healthy-fpr-1"), row("ae", "h0", "l1", 0.1)]
    both = frame([*lesion_rows("ae", [0.2], [0.5]), *healthy])
    assert {*lesion_cases(both)["case_id"]} == {"p0", ""}
    assert {*healthy_cases(both)["case_id"]} == {"h0", ""}


def test_geometric_mean_of_a_ratio_and_its_inverse_is_one_and_zero_stays_zero() -> None:
    assert geometric_mean(pd.Series([0.25, 4.0])) == pytest.approx(1.0)
    assert geometric_mean(pd.Series([0.0, 4.0])) == 0.0


def test_one_patient_has_no_spread() -> None:
    assert isnan(number(frame(lesion_rows("ae", [0.2], [0.5])), "dice", "paper", "lesion-val").sd)


def test_thresholds_and_pooled_metrics_belong_to_no_case() -> None:
    rows = frame(lesion_rows("ae", [0.2], [0.5]))
    assert {*rows["metric"]} - {*of_cases(rows)["metric"]} == {"threshold", "auprc_pooled"}
