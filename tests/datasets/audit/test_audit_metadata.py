"""Drift between splits: found where it is, not by chance, and never twice for one subject."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from datasets.audit.metadata import _holm, _of_names, column_findings, drift_findings


def rows(groups: dict[str, list[tuple[str, str, str]]]) -> list[dict[str, str]]:
    return [
        {"case_id": f"{split}-{index}", "subject_id": f"{split}-{index}", "split": split, "site": site, "sex": sex,
         "age": age}
        for split, people in groups.items()
        for index, (site, sex, age) in enumerate(people)
    ]  # fmt: skip


def test_another_site_is_named_with_counts_and_a_corrected_p() -> None:
    told = drift_findings(rows({"train": [("HH", "F", "30")] * 20, "test": [("Guys", "F", "30")] * 20}), "mine")
    (finding,) = told
    assert (finding.severity, finding.code) == ("warning", "site-drift")
    assert "site of train (n 20) and test (n 20)" in finding.got
    assert "20 and 0" in finding.got
    assert "p 1e-04 (1 test, Holm)" in finding.got


def test_older_people_in_the_test_split_are_named() -> None:
    young, old = ([("HH", "F", str(age)) for age in range(start, start + 25)] for start in (20, 60))
    (finding,) = drift_findings(rows({"train": young, "test": old}), "mine")
    assert finding.code == "age-drift"
    assert "medians 32 and 72 years" in finding.got


def test_scans_of_one_subject_count_once() -> None:
    table = rows({"train": [("HH", "F", "30")] * 10, "test": [("Guys", "F", "30")] * 10})
    for row in table:
        row["subject_id"] = row["split"]
    assert drift_findings(table, "mine") == []


@pytest.mark.parametrize("seed", range(3))
def test_splits_drawn_alike_are_rarely_called_different(seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = 0
    for _ in range(40):
        people = [(str(rng.integers(3)), "FM"[rng.integers(2)], str(rng.integers(20, 80))) for _ in range(60)]
        told += bool(drift_findings(rows({"train": people[:35], "val": people[35:45], "test": people[45:]}), "mine"))
    assert told <= 6


def test_the_permutation_agrees_with_fishers_exact_test() -> None:
    _, p = _of_names(["a"] * 10 + ["b"] * 2, ["a"] * 5 + ["b"] * 9)
    assert p == pytest.approx(fisher_exact([[10, 2], [5, 9]]).pvalue, abs=0.005)


def test_holm_multiplies_the_smallest_most_and_never_falls() -> None:
    assert _holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])


def test_the_same_table_gives_the_same_p_value() -> None:
    here, there = ["a"] * 10 + ["b"] * 2, ["a"] * 5 + ["b"] * 9
    assert _of_names(here, there) == _of_names(here, there)


def test_an_age_that_is_no_number_is_of_nobody() -> None:
    young, old = ([("HH", "F", str(age)) for age in range(start, start + 25)] for start in (20, 60))
    odd = [("HH", "F", age) for age in ("unknown", "", "-3", "200")]
    (finding,) = drift_findings(rows({"train": [*young, *odd], "test": [*old, *odd]}), "mine")
    assert "age of train (n 25) and test (n 25): medians 32 and 72 years" in finding.got


def test_an_odd_age_or_sex_is_told_of_its_own_case() -> None:
    people = [("HH", "F", "30"), ("HH", "M", "300"), ("HH", "", ""), ("HH", "f", "1"), ("HH", "?", "old")]
    table = [{**row, "sequences": "t1", "licence": "CC0"} for row in rows({"train": people})]
    told = [(one.severity, one.code, one.cohort, one.cases, one.got) for one in column_findings(table, ["t1"], "mine")]
    assert told == [
        ("warning", "odd-age", "mine", ("train-1",), "age '300'"),
        ("warning", "odd-sex", "mine", ("train-3",), "sex 'f'"),
        ("warning", "odd-age", "mine", ("train-4",), "age 'old'"),
        ("warning", "odd-sex", "mine", ("train-4",), "sex '?'"),
    ]
