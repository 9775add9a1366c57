"""Where other patients' lesions lie, and that a patient's own masks are never in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from numpy.typing import NDArray

from benchmark.inference import lesion_frequency as labels
from benchmark.inference.lesion_frequency import LesionFrequency
from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.loading import load_case

pytestmark = pytest.mark.usefixtures("plugin")


def files_of(data: Path, name: str) -> list[CaseFiles]:
    """The tiny cohort's cases; of each split two scans are of one subject, who is told apart by split."""
    return [one for one in dataset(name).files(data, "t1") if one.split != "train"]


def by_hand(files: Sequence[CaseFiles], subject_id: str) -> NDArray[np.float64]:
    """Mean over the others of the mean over their scans."""
    masks: dict[str, list[NDArray[np.bool_]]] = {}
    for one in files:
        mask = load_case(one, TINY).lesion_mask
        if mask is not None and one.subject_id != subject_id:
            masks.setdefault(one.subject_id, []).append(mask)
    return np.mean([np.mean(scans, axis=0) for scans in masks.values()], axis=0)


def test_patients_count_equally_however_many_scans_they_have(data: Path) -> None:
    files = files_of(data, "patients")
    frequency = LesionFrequency(files, TINY)
    assert len({one.subject_id for one in files}) < len(files)
    for subject_id in {one.subject_id for one in files}:
        got = frequency.of_others(subject_id)
        assert got.dtype == np.float32
        assert got == pytest.approx(by_hand(files, subject_id), abs=1e-6)
        assert 0 < got.max() <= 1


def test_a_patient_unknown_to_the_cohort_is_told_of_all(data: Path) -> None:
    files = files_of(data, "patients")
    assert LesionFrequency(files, TINY).of_others("somebody") == pytest.approx(by_hand(files, "somebody"), abs=1e-6)


def test_a_patients_own_masks_change_nothing_of_what_that_patient_is_told(own_data: Path) -> None:
    files = files_of(own_data, "patients")
    subject_id, other = "patients-test-1", "patients-test-2"
    before = {name: LesionFrequency(files, TINY).of_others(name) for name in (subject_id, other)}
    for one in files:
        if one.subject_id == subject_id:
            assert one.lesion_mask is not None
            one.lesion_mask.write_bytes(one.brain_mask.read_bytes())
    after = LesionFrequency(files, TINY)
    assert np.array_equal(after.of_others(subject_id), before[subject_id])
    assert not np.array_equal(after.of_others(other), before[other])


def test_three_scans_leave_no_trace_by_rounding(own_data: Path) -> None:
    files = [*files_of(own_data, "patients"), *files_of(own_data, "inpatients")]
    mine, *others = ("mine", "mine", "mine", "a", "a", "b", "c", "c")
    renamed = [_renamed(one, subject) for one, subject in zip(files, [mine, *others], strict=True)]
    without = LesionFrequency([one for one in renamed if one.subject_id != "mine"], TINY)
    assert np.array_equal(LesionFrequency(renamed, TINY).of_others("mine"), without.of_others("nobody"))


def _renamed(one: CaseFiles, subject_id: str) -> CaseFiles:
    return CaseFiles(one.case_id, one.image, one.brain_mask, one.lesion_mask, subject_id, one.site, one.split)


@pytest.mark.parametrize("names", [[], ["volunteers"]])
def test_without_lesions_there_is_nothing_to_tell(data: Path, names: list[str]) -> None:
    files = [one for name in names for one in files_of(data, name)]
    told = LesionFrequency(files, TINY).of_others("volunteers-val-1")
    assert told.shape == TINY.shape
    assert not told.any()


def test_the_only_patient_is_told_nothing(data: Path) -> None:
    files = [one for one in files_of(data, "patients") if one.subject_id == "patients-test-1"]
    assert len(files) == 2
    assert not LesionFrequency(files, TINY).of_others("patients-test-1").any()


def test_healthy_scans_of_a_mixed_cohort_do_not_count(data: Path) -> None:
    sick = files_of(data, "patients")
    mixed = [*files_of(data, "volunteers"), *sick]
    assert np.array_equal(LesionFrequency(mixed, TINY).of_others("x"), LesionFrequency(sick, TINY).of_others("x"))


def test_every_scan_is_read_twice_and_no_more(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(files: CaseFiles, grid: object) -> object:
        read.append(files.case_id)
        return load_case(files, TINY)

    monkeypatch.setattr(labels, "load_case", reading)
    files = files_of(data, "patients")
    frequency = LesionFrequency(files, TINY)
    for subject_id in {one.subject_id for one in files}:
        frequency.of_others(subject_id)
    assert sorted(read) == sorted(2 * [one.case_id for one in files])
