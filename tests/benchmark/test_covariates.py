"""Covariates: from a cohort's table to the methods that declare them, into their keys, and to no other."""

import csv
import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, SPACING, TINY, VOLUNTEERS
from commandline import STUDY, call
from detectors import Ageing

from benchmark.methods.contract.check import check_detector
from benchmark.storage.maps import read_volume
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.case import Person, person_of
from datasets.loading import load_case
from datasets.spec import DatasetSpec, case_marks, digest


def write_people(data: Path, spec: DatasetSpec, ages: dict[str, str]) -> None:
    """Columns `age` and `sex` in a cohort's table: men, and women in every second row."""
    table = data / spec.name / "cases.csv"
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        row |= {"age": ages.get(row["case_id"], str(30 + number)), "sex": "MF"[number % 2]}
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def people(own_data: Path, plugin: None) -> Path:
    write_people(own_data, VOLUNTEERS, {})
    write_people(own_data, PATIENTS, {"patients-test-1": ""})
    Ageing.seen.clear()
    return own_data


@pytest.mark.parametrize(
    ("row", "person"),
    [
        ({"age": "63.5", "sex": "F"}, Person(63.5, "F")),
        ({"age": "n/a", "sex": "male"}, Person(None, "M")),
        ({"age": "0", "sex": "n/a"}, Person()),
        ({"age": "nan", "sex": None}, Person()),
        ({}, Person()),
    ],
)
def test_what_a_table_says_of_a_person(row: dict[str, str | None], person: Person) -> None:
    assert person_of(row) == person


def test_only_a_method_that_declares_covariates_is_handed_them(people: Path, tmp_path: Path) -> None:
    done = call("run", *STUDY[2:], "--methods", "mean-distance,ageing", "--data", people, "--out", tmp_path / "run",
         "--postprocessing", "none", "--protocols", "oracle")  # fmt: skip
    assert done.exit_code == 0, done.output
    (handed,) = (json.loads(path.read_text()) for path in tmp_path.glob("run/fits/ageing-*/handed.json"))
    assert [one["age"] for one in handed] == [[30.0], [31.0], [32.0]]
    assert [one["sex"] for one in handed] == [[1.0], [0.0], [1.0]]
    assert all(one["spacing"] == pytest.approx([SPACING] * 3) for one in handed)
    names = ("ageing", "mean-distance")
    maps = {name: next(tmp_path.glob(f"run/cells/{name}-patients-none-*")) / "maps" for name in names}
    for number, one in enumerate(PATIENTS.files(people, "t1")):
        age = 50 if one.case_id == "patients-test-1" else 30 + number
        with_age, without = (read_volume(maps[name] / f"{one.case_id}.nii.gz") for name in names)
        brain = load_case(one, TINY).brain_mask
        np.testing.assert_allclose((with_age - without)[brain], age / 100, atol=2e-3)
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "healthy scans, age, sex, spacing" in report
    assert call("verify", tmp_path / "run", "--data", people).exit_code == 0


def test_a_case_carries_none_unless_asked(people: Path) -> None:
    assert load_case(PATIENTS.files(people, "t1")[0], TINY).covariates == {}


def test_covariates_are_in_the_keys_of_those_methods_alone(people: Path) -> None:
    def keys(method: str) -> tuple[list[str], list[str]]:
        study = plan(Request(method, "patients", people, preset="quick"))
        return [one.key for one in study.fits], [one.key for one in study.cells]

    files = VOLUNTEERS.files(people, "t1")
    before = {name: keys(name) for name in ("ageing", "mean-distance")}, digest(files), case_marks(files)
    write_people(people, PATIENTS, {"patients-test-1": "44"})
    after = {name: keys(name) for name in ("ageing", "mean-distance")}
    assert after["mean-distance"] == before[0]["mean-distance"]
    assert after["ageing"][0] == before[0]["ageing"][0]  # the healthy cohort is who it was
    assert [a == b for a, b in zip(after["ageing"][1], before[0]["ageing"][1], strict=True)] == [True, False]
    write_people(people, VOLUNTEERS, {"volunteers-val-0": "81"})
    assert keys("mean-distance") == before[0]["mean-distance"]
    assert keys("ageing")[0] != before[0]["ageing"][0]
    again = VOLUNTEERS.files(people, "t1")
    assert (digest(again), case_marks(again)) == before[1:]


def test_the_contract_hands_over_what_the_card_declares() -> None:
    check_detector(lambda: Ageing(Ageing.Config()))
    assert {name for one in Ageing.seen for name in one} == {"age", "sex", "spacing"}
    assert not any(isnan(value) for one in Ageing.seen for values in one.values() for value in values)
