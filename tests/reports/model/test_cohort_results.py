"""How many patients a cohort has, and what that allows to say."""

from dataclasses import replace

import pytest
from cohort_rows import cohort, lesion_rows, row


def test_patients_names_the_scans_where_they_are_more() -> None:
    scans = cohort([row("ae", case, "dice", 0.1) for case in ("p0", "p1", "p1b")], ae=1)
    assert scans.patients_of("ae") == "2 (3 scans)"
    assert scans.patients == 2
    assert scans.patients_of("gone") == "-"


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


def test_a_label_says_what_is_a_floor_and_what_uses_labels() -> None:
    supervision = {"thresh": "none", "told": "lesion labels", "ae": "healthy scans"}
    seeds = {"thresh": 1, "told": 1, "ae": 1, "bare_one": 1}
    mixed = replace(cohort([], **seeds), floors=["thresh", "told"], supervision=supervision)
    assert [mixed.label(method) for method in (*seeds, "perfect-map")] == [
        "thresh (floor)",
        "told (floor, uses lesion labels)",
        "ae",
        "bare\\_one",
        "*perfect map*",
    ]
    shown = [mixed.supervision_of(method) for method in (*seeds, "perfect-map")]
    assert shown == ["none", "lesion labels", "healthy scans", "-", ""]
    assert mixed.labelled == ["told"]
    assert cohort([], ae=1).labelled == []
