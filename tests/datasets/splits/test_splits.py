"""Committed lists are what the rule makes of their subjects, and free of every published defect."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from datasets.case import RawCase
from datasets.cohorts.catalog import COHORTS, dataset
from datasets.errors import BadFile, BadValue
from datasets.splits import Subject, fold_table, split_of, subjects_of
from datasets.splits.assignment import COLUMNS, MSL_VAL, committed_splits, split_by_rule
from datasets.splits.hashing import deal, draw, rank, scale_sizes
from datasets.splits.subjects import age_band

TABLES = Path(__file__).parents[3] / "datasets/splits/tables"
LISTED = ("ixi", "lgg", "msl", "oasis", "wmh")
PUBLISHED = {
    "ixi": {"train": 364, "val": 44, "test": 158},
    "lgg": {"val": 30, "test": 80},
    "msl": {"val": 10, "test": 20},
    "oasis": {"test": 30},
    "wmh": {"val": 15, "test": 45},
}


def people(number: int, *, sites: Sequence[str] = ("a", "b", "c")) -> list[Subject]:
    """Of the sites in the ratio 1 : 2 : 3 ..."""
    spread = [site for weight, site in enumerate(sites, start=1) for _ in range(weight)]
    return [Subject(f"s{index:04}", spread[index % len(spread)]) for index in range(number)]


def test_there_is_a_list_for_each_cohort_that_is_tested_here() -> None:
    assert sorted(path.stem for path in TABLES.glob("*.csv")) == sorted(LISTED)
    assert {*LISTED} < {*COHORTS.built_in}


@pytest.mark.parametrize("name", LISTED)
def test_the_rule_regenerates_a_committed_list_from_the_subjects_it_names(name: str) -> None:
    listed = committed_splits(name)
    backwards = [one.subject for one in reversed(listed)]
    assert split_by_rule(dataset(name), backwards) == {one.subject.subject_id: one.split for one in listed}


@pytest.mark.parametrize("name", LISTED)
def test_a_committed_list_has_each_subject_once_and_the_stated_sizes(name: str) -> None:
    with (TABLES / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert len({row["subject_id"].casefold() for row in rows}) == len(rows)
    assert Counter(row["split"] for row in rows) == PUBLISHED[name]


def test_the_validation_patients_of_mslub_are_the_published_ones() -> None:
    val = [one.subject.subject_id for one in committed_splits("msl") if one.split == "val"]
    assert val == [f"patient{number}" for number in MSL_VAL]
    assert MSL_VAL == ("01", "03", "05", "15", "17", "18", "20", "22", "28", "29")


def test_sites_and_ages_are_spread_over_the_splits_of_ixi() -> None:
    listed = committed_splits("ixi")
    whole = Counter((one.subject.site, one.subject.age_band) for one in listed)
    for split, size in PUBLISHED["ixi"].items():
        counted = Counter((one.subject.site, one.subject.age_band) for one in listed if one.split == split)
        assert all(abs(counted[stratum] - number * size / len(listed)) < 2 for stratum, number in whole.items())
    assert Counter(one.subject.site for one in listed) == {"Guys": 316, "HH": 181, "IOP": 69}
    assert sum(one.subject.age_band == "" for one in listed) == 5


def test_each_scanner_of_the_wmh_challenge_has_a_third_of_the_validation() -> None:
    val = Counter(one.subject.site for one in committed_splits("wmh") if one.split == "val")
    assert val == {"Utrecht": 5, "Singapore": 5, "Amsterdam-GE3T": 5}


def test_our_list_names_the_people_of_the_published_splits_of_ixi_and_has_none_of_their_defects() -> None:
    if "UADBENCH_REFERENCE" not in os.environ:
        pytest.skip("UADBENCH_REFERENCE is not set")
    table = Path(os.environ["UADBENCH_REFERENCE"]) / "ixi_published_splits.csv"
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    theirs = {row["case_id"].split("-")[0]: row["case_id"].split("-")[1] for row in rows}
    assert {one.subject.subject_id: one.subject.site for one in committed_splits("ixi")} == theirs
    subjects = [one.subject for one in committed_splits("ixi")]
    found = {one.subject.subject_id: one.split for one in committed_splits("ixi")}
    for turn in ("val", "test"):
        placed = fold_table(subjects, found, 5, turn=turn)  # type: ignore[arg-type]
        assert len({(one.fold, one.subject.subject_id) for one in placed}) == len(placed) == 5 * 566


def test_a_cohort_without_a_list_is_dealt_in_the_published_sizes() -> None:
    brats = [Subject(f"BraTS2021_{number:05}") for number in range(1251)]
    assert Counter(split_of(dataset("brats"), brats).values()) == {"val": 100, "test": 1151}
    atlas = [Subject(f"sub-r{number % 33:03}s{number:03}", f"r{number % 33:03}") for number in range(655)]
    assert Counter(split_of(dataset("atlas"), atlas).values()) == {"val": 175, "test": 480}


def test_a_smaller_cohort_is_dealt_in_proportion_and_no_split_stays_empty() -> None:
    found = split_of(dataset("atlas"), [Subject(f"s{number}") for number in range(131)])
    assert Counter(found.values()) == {"val": 35, "test": 96}
    assert scale_sizes({"test": 28, "val": 8, "train": 64}, 4) == {"test": 1, "val": 1, "train": 2}
    assert scale_sizes({"test": 28, "val": 8, "train": 64}, 1) == {"test": 0, "val": 0, "train": 1}


def test_a_listed_subject_keeps_its_split_whoever_else_is_there() -> None:
    listed = {one.subject.subject_id: one.split for one in committed_splits("ixi")}
    some = [one.subject for one in committed_splits("ixi")][::7]
    newcomer = Subject("IXI999", "Guys")
    found = split_of(dataset("ixi"), [newcomer, *some])
    assert list(found) == ["IXI999", *(one.subject_id for one in some)]
    assert all(found[one.subject_id] == listed[one.subject_id] for one in some)
    assert split_of(dataset("ixi"), [newcomer, some[0]])["IXI999"] == found["IXI999"]


def test_an_earlier_preparation_is_not_overturned_and_newcomers_move_nobody() -> None:
    first = people(40)
    kept = split_of(dataset("brats"), first)
    found = split_of(dataset("brats"), people(60), kept=kept)
    assert {one.subject_id: found[one.subject_id] for one in first} == kept


def test_newcomers_are_drawn_in_proportion() -> None:
    drawn = Counter(draw(f"s{number}", {"val": 1, "test": 3}, salt="x") for number in range(4000))
    assert 900 < drawn["val"] < 1100


def test_the_hash_is_the_same_on_every_machine_and_salted_by_the_cohort() -> None:
    assert rank("s1", "a") == 0x349C3A8DEE6035B4  # printf 'a\0s1' | sha256sum
    assert rank("s1", "b") != rank("s1", "a")
    orders = [sorted(("s1", "s2", "s3", "s4", "s5", "s6"), key=lambda one: rank(one, salt)) for salt in "ab"]
    assert orders[0] != orders[1]


def test_one_subject_more_moves_few_others() -> None:
    subjects = people(120)
    before = split_by_rule(dataset("atlas"), subjects)
    moved = []
    for extra in range(30):
        after = split_by_rule(dataset("atlas"), [*subjects, Subject(f"new{extra}", "b")])
        moved.append(sum(before[one] != after[one] for one in before))
    assert max(moved) <= 4


def test_strata_are_dealt_exactly_and_in_proportion() -> None:
    dealt_to = deal({one.subject_id: one.site for one in people(60)}, {"x": 12, "y": 48}, salt="s")
    assert Counter((one.site, dealt_to[one.subject_id]) for one in people(60)) == {
        ("a", "x"): 2, ("a", "y"): 8, ("b", "x"): 4, ("b", "y"): 16, ("c", "x"): 6, ("c", "y"): 24,
    }  # fmt: skip


def test_sizes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 places, expected 4"):
        deal(dict.fromkeys("abcd", ""), {"x": 3}, salt="s")


def test_a_subject_given_twice_is_refused() -> None:
    with pytest.raises(BadValue, match="'s0001' twice"):
        split_of(dataset("ixi"), [*people(3), Subject("s0001")])


def test_healthy_people_of_a_mixed_cohort_are_dealt_apart_and_only_they_are_trained_on() -> None:
    own = [Subject(f"h{n}", healthy=True) for n in range(50)] + [Subject(f"p{n}", healthy=False) for n in range(20)]
    found = split_of(dataset("phantom"), own)
    assert Counter(found[one.subject_id] for one in own if one.healthy) == {"test": 14, "val": 4, "train": 32}
    assert Counter(found[one.subject_id] for one in own if not one.healthy) == {"val": 5, "test": 15}


def test_people_of_scans_are_counted_once_and_any_lesion_makes_a_patient() -> None:
    path = Path("x")
    scans = [
        RawCase("a-1", "a", {}, "t1", site="here", age=31.5),
        RawCase("a-2", "a", {}, "t1", lesion_mask=path),
        RawCase("b-1", "b", {}, "t1", age=82),
    ]
    assert subjects_of(scans) == [Subject("a", "here", "30-39", False), Subject("b", "", "80+", True)]


@pytest.mark.parametrize(
    ("age", "band"), [(None, ""), (float("nan"), ""), (19.98, "<20"), (20, "20-29"), (79.9, "70-79"), (86.3, "80+")]
)
def test_ages_are_told_in_decades(age: float | None, band: str) -> None:
    assert age_band(age) == band


def test_an_impossible_age_is_refused() -> None:
    with pytest.raises(BadFile, match="got 390, expected years"):
        age_band(390)
