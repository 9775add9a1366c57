"""What a cohort has: its patients, its numbers, and what they allow to say."""

from dataclasses import replace
from math import isnan, nan

import pytest
from cohort_rows import cohort, frame, lesion_rows, perfect_rows, row

from reports.formats.markdown import inline
from reports.model.cohort_results import healthy_cases, lesion_cases, of_cases


def test_patients_names_the_scans_where_they_are_more() -> None:
    scans = cohort([row("ae", case, "dice", 0.1) for case in ("p0", "p1", "p1b")], ae=1)
    assert scans.patients_of("ae") == "2 (3 scans)"
    assert scans.patients == 2
    assert scans.patients_of("gone") == ""


@pytest.mark.parametrize(
    ("patients", "caution"),
    [
        (0, ""),
        (1, "1 patient: examples, not testable; nothing here ranks methods."),
        (5, "5 patients: examples, not testable; nothing here ranks methods."),
        (6, ""),
    ],
)
def test_fewer_than_six_patients_are_examples(patients: int, caution: str) -> None:
    few = cohort(lesion_rows("ae", [0.2] * patients, [0.5] * patients), ae=1)
    assert few.caution == caution
    assert few.testable is (patients >= 6)


def test_scans_of_one_patient_do_not_make_a_board_testable() -> None:
    assert not cohort([row("ae", f"p0{scan}", "dice", 0.1) for scan in range(9)], ae=1).testable


def test_a_label_says_what_is_a_simple_baseline_and_what_uses_labels() -> None:
    supervision = {"thresh": "none", "told": "lesion labels", "ae": "healthy scans"}
    seeds = {"thresh": 1, "told": 1, "ae": 1, "bare_one": 1}
    mixed = replace(cohort([], **seeds), simple_baselines=["thresh", "told"], supervision=supervision)
    assert [inline(mixed.label(method)) for method in (*seeds, "perfect-map")] == [
        "thresh (simple baseline)",
        "told (simple baseline, uses lesion labels)",
        "ae",
        "bare\\_one",
        "*perfect map*",
    ]
    shown = [mixed.supervision_of(method) for method in (*seeds, "perfect-map")]
    assert shown == ["none", "lesion labels", "healthy scans", "", ""]
    assert mixed.labelled == ["told"]
    assert cohort([], ae=1).labelled == []


def test_a_number_is_the_mean_over_patients_and_seeds_with_its_range_and_what_it_is_over() -> None:
    rows = [
        *lesion_rows("ae", [0.2, 0.4, 0.9], [0.5] * 3, seed=0),
        *lesion_rows("ae", [0.6, 0.8, nan], [0.5] * 3, seed=1),
        *perfect_rows(),
    ]
    numbers = cohort(rows, ae=2, gone=1).numbers("dice", "paper", "lesion-val")
    ae = numbers["ae"]
    assert (ae.defined, ae.wanted, ae.seeds) == (4, 6, 2)  # p2 has no number under one of two seeds
    assert (ae.value, ae.lowest_seed, ae.highest_seed) == pytest.approx((0.5, 0.3, 0.7))
    assert numbers["gone"].wanted == 0
    assert numbers["perfect-map"].value == pytest.approx(0.9)


def test_what_is_undefined_is_wanted_and_what_is_missing_is_not() -> None:
    rows = [row("ae", "", "threshold", nan, "paper lesion-val"), row("ae", "p0", "auprc", 0.5, "paper")]
    one = cohort([*rows, row("ae", "p0", "lesion_ml", 1.0)], ae=1)
    undefined = one.numbers("dice", "paper", "lesion-val")["ae"]
    assert (undefined.defined, undefined.wanted) == (0, 1)
    assert not one.numbers("auroc", "paper")["ae"].wanted


def test_one_patient_has_no_spread() -> None:
    assert isnan(cohort(lesion_rows("ae", [0.2], [0.5]), ae=1).numbers("dice", "paper", "lesion-val")["ae"].sd)


def test_the_mean_of_a_ratio_is_the_geometric_one() -> None:
    rows = [row("ae", f"p{index}", "l1_ratio", value) for index, value in enumerate((0.25, 4.0))]
    assert cohort(rows, cases="healthy", ae=1).numbers("l1_ratio")["ae"].value == pytest.approx(1.0)


def test_each_case_has_its_own_number_with_seeds_averaged() -> None:
    rows = [
        row("ae", case, "auprc", value, "none", seed=seed)
        for case, values in {"p0": (0.2, 0.4), "p0b": (0.6, 0.6), "p1": (nan, nan)}.items()
        for seed, value in enumerate(values)
    ]
    found = cohort(rows, ae=2).by_case("auprc", "none")
    assert found["ae"].to_dict() == pytest.approx({"p0": 0.3, "p0b": 0.6})
    assert cohort(rows, ae=2).by_case("auprc", "paper").empty


def test_cases_with_and_without_lesion_are_told_apart() -> None:
    healthy = [row("ae", "h0", "alarm", 1.0, "paper healthy-fpr-1"), row("ae", "h0", "l1", 0.1)]
    both = frame([*lesion_rows("ae", [0.2], [0.5]), *healthy])
    assert {*lesion_cases(both)["case_id"]} == {"p0", ""}
    assert {*healthy_cases(both)["case_id"]} == {"h0", ""}


def test_thresholds_and_pooled_metrics_belong_to_no_case() -> None:
    rows = frame(lesion_rows("ae", [0.2], [0.5]))
    assert {*rows["metric"]} - {*of_cases(rows)["metric"]} == {"threshold", "auprc_pooled"}
