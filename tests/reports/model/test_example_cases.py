"""exemplars: best, median, worst and most disagreed cases."""

from dataclasses import replace

import numpy as np
import pandas as pd
from cohort_rows import frame, row

from reports.model.cohort_results import CohortResults
from reports.model.example_cases import exemplars


def cohort(scores: dict[str, dict[str, float]], **facts: object) -> CohortResults:
    """`{method: {case: auprc}}`."""
    rows = [
        replace(row(method, case, "auprc", value, "none"), subject_id=case)
        for method, cases in scores.items()
        for case, value in cases.items()
    ]
    return CohortResults(frame(rows), pd.DataFrame(), dict.fromkeys(scores, 1), **facts)  # type: ignore[arg-type]


def test_cases_are_ordered_by_the_mean_over_methods() -> None:
    one = {"a": 0.9, "b": 0.5, "c": 0.1, "d": 0.55, "e": 0.4}
    other = {"a": 0.9, "b": 0.5, "c": 0.1, "d": 0.05, "e": 0.4}
    found = exemplars(cohort({"ae": one, "ddpm": other}), "none")
    assert found == {"best": "a", "median": "e", "worst": "c", "most disagreed": "d"}


def test_of_two_cases_none_is_the_median() -> None:
    assert exemplars(cohort({"ae": {"a": 0.9, "b": 0.1}}), "none") == {"best": "a", "worst": "b"}


def test_simple_baselines_and_labels_do_not_decide() -> None:
    scores = {"ae": {"a": 0.9, "b": 0.1}, "thresh": {"a": 0.0, "b": 1.0}, "prior": {"a": 0.0, "b": 1.0}}
    found = exemplars(cohort(scores, simple_baselines=["thresh"], supervision={"prior": "lesion labels"}), "none")
    assert found["best"] == "a"


def test_a_case_stands_once_and_nothing_without_scores() -> None:
    assert exemplars(cohort({"ae": {"a": 0.5}}), "none") == {"best": "a"}
    assert exemplars(cohort({"ae": {"a": np.nan}}), "none") == {}
    assert exemplars(cohort({}), "none") == {}
