"""Numbers of a summary as reports look them up, and parts of rows."""

from math import isnan

import pytest
from cohort_rows import cohort, frame, lesion_rows, row

from reports.model.numbers import Place, healthy_cases, lesion_cases, of_cases


def test_a_number_says_over_how_many_of_the_patients_it_is() -> None:
    rows = [*lesion_rows("ae", [0.2], [0.5]), *lesion_rows("zscore", [0.2, 0.4], [0.5, 0.7])]
    found = cohort(rows, ae=1, zscore=1).numbers("dice", "paper", "lesion-val")
    assert (found["ae"].value, found["ae"].defined, found["ae"].wanted) == (0.2, 1, 2)
    assert (found["zscore"].defined, found["zscore"].wanted) == (2, 2)


def test_of_several_seeds_the_lowest_and_the_highest_are_told() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *lesion_rows("ae", [0.4, 0.8], [0.5, 0.5], seed=1)]
    number = cohort(rows, ae=2).number(Place("ae", "dice", "paper", "lesion-val"))
    assert number.seeds == pytest.approx((0.3, 0.6))
    assert cohort(rows, ae=1).number(Place("ae", "dice", "paper", "lesion-val")).seeds == ()


def test_cases_with_and_without_lesion_are_told_apart() -> None:
    healthy = [row("ae", "h0", "alarm", 1.0, "paper healthy-fpr-1"), row("ae", "h0", "l1", 0.1)]
    both = frame([*lesion_rows("ae", [0.2], [0.5]), *healthy])
    assert {*lesion_cases(both)["case_id"]} == {"p0", ""}
    assert {*healthy_cases(both)["case_id"]} == {"h0", ""}


def test_one_patient_has_no_spread() -> None:
    (number, _) = cohort(lesion_rows("ae", [0.2], [0.5]), ae=1).numbers("dice", "paper", "lesion-val").values()
    assert isnan(number.sd)


def test_thresholds_and_pooled_metrics_belong_to_no_case() -> None:
    rows = frame(lesion_rows("ae", [0.2], [0.5]))
    assert {*rows["metric"]} - {*of_cases(rows)["metric"]} == {"threshold", "auprc_pooled"}
