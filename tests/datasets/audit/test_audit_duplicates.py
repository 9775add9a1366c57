"""Duplicates: equal voxels and one brain, within and across cohorts; who is judged how."""

import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.audit.duplicates import LIKE, Fingerprint, duplicate_findings, signature, similar_pairs
from datasets.io.tables import read_table
from datasets.spec import REQUIRED_COLUMNS

SHAPE = (80, 88, 72)
SPACING = np.array([2.0, 2.0, 2.0])
DATA = os.environ.get("UADBENCH_DATA", "")
Image = NDArray[np.float32]


def brain() -> NDArray[np.bool_]:
    axes = np.indices(SHAPE).transpose(1, 2, 3, 0)
    return np.asarray((((axes - np.array([39.5, 43.5, 35.5])) / (30, 36, 30)) ** 2).sum(axis=-1) <= 1)


def scan_of(seed: int) -> Image:
    """Folds of about a centimetre."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 2)
    return np.asarray(np.where(brain(), 100 + 20 * texture / texture.std(), 0), dtype=np.float32)


def likeness(one: Image, other: Image, spacing: NDArray[np.float64] = SPACING) -> float:
    masks = one > 0, other > 0
    pair = [signature(image, mask, spacing) for image, mask in zip((one, other), masks, strict=True)]
    return next((value for *_, value in similar_pairs(pair, -1.0)), -1.0)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "gamma": lambda one: 200 * (one / 200) ** 0.7,
    "scale": lambda one: 3.5 * one,
    "bias": lambda one: one * np.linspace(0.8, 1.2, SHAPE[0], dtype=np.float32)[:, None, None],
    "noise": lambda one: np.where(one > 0, one + np.random.default_rng(5).normal(0, 5, SHAPE), 0),
    "bytes": lambda one: np.round(one).clip(0, 255),
    "shift by a voxel": lambda one: np.roll(one, 1, axis=0),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_brain_is_known_again_whatever_was_done_to_its_intensities(change: Callable[[Image], Image]) -> None:
    assert likeness(scan_of(0), np.asarray(change(scan_of(0)), np.float32)) > LIKE


def test_two_brains_are_not_alike() -> None:
    assert abs(likeness(scan_of(0), scan_of(1))) < 0.2


def test_scans_that_show_nothing_are_not_taken_for_one_brain() -> None:
    blank, nowhere = np.zeros(SHAPE, dtype=np.float32), np.zeros(SHAPE, dtype=bool)
    shown = [signature(blank, brain(), SPACING)] * 2 + [signature(scan_of(0), nowhere, SPACING)] * 2
    assert not any(one.detail.any() for one in shown)
    assert list(similar_pairs(shown)) == []


def test_likeness_does_not_depend_on_the_resolution() -> None:
    fine = np.repeat(np.repeat(np.repeat(scan_of(0), 2, 0), 2, 1), 2, 2)
    pair = [signature(scan_of(0), scan_of(0) > 0, SPACING), signature(fine, fine > 0, SPACING / 2)]
    assert next(value for *_, value in similar_pairs(pair)) > 0.99


@pytest.mark.skipif(not DATA, reason="UADBENCH_DATA names no folder")
def test_people_scanned_twice_are_found_among_real_scans_and_nobody_else() -> None:
    folder = Path(DATA) / "oasis"
    rows = read_table(folder / "cases.csv", REQUIRED_COLUMNS).rows
    signatures = []
    for row in rows:
        image, mask = (
            np.asarray(nibabel.nifti1.Nifti1Image.from_filename(folder / kind / f"{row['case_id']}.nii.gz").dataobj)
            for kind in ("t1", "brain_mask")
        )
        signatures.append(signature(image, mask > 0, SPACING))
    subjects = [row["subject_id"] for row in rows]
    found = {(one, other) for one, other, _ in similar_pairs(signatures)}
    again = {(i, j) for j in range(len(rows)) for i in range(j) if subjects[i] == subjects[j]}
    assert len(again) == 5
    assert found == again


def one(case: str, subject: str, split: str, *, seed: int, cohort: str = "mine", content: str = "") -> Fingerprint:
    sign = signature(scan_of(seed), brain(), SPACING)
    return Fingerprint(cohort, case, subject, split, "t1", content or f"{cohort}-{case}", sign)


@pytest.mark.parametrize(
    ("subject", "split", "cohort", "severity"),
    [
        ("s2", "test", "mine", "error"),
        ("s1", "test", "mine", "error"),
        ("s1", "train", "mine", "note"),
        ("s2", "train", "mine", "warning"),
        ("s2", "test", "yours", "error"),
        ("s2", "train", "yours", "warning"),
    ],
)
def test_one_brain_is_judged_by_split_and_subject(subject: str, split: str, cohort: str, severity: str) -> None:
    pair = [one("a", "s1", "train", seed=0), one("b", subject, split, seed=0, cohort=cohort)]
    (finding,) = duplicate_findings(pair)
    assert (finding.severity, finding.code) == (severity, "near-duplicate-scan")
    assert finding.flag == ("leak" if severity == "error" else "")


def test_equal_voxels_under_two_subjects_are_an_error_in_one_split_too() -> None:
    pair = [one("a", "s1", "test", seed=0, content="x"), one("b", "s2", "test", seed=0, content="x")]
    (finding,) = duplicate_findings(pair)
    assert (finding.severity, finding.code, finding.flag) == ("error", "duplicate-scan", "leak")
    assert finding.got == "equal voxels in a (test) and b (test)"


def test_the_many_scans_of_one_subject_within_a_split_are_a_note() -> None:
    """Implanted lesions: every case is the same scan."""
    scans = [one(f"c{index}", "s1", "test", seed=0, content="x" if index < 2 else "") for index in range(4)]
    assert {finding.severity for finding in duplicate_findings(scans)} == {"note"}


def test_a_copy_in_another_split_is_not_hidden_by_one_in_its_own() -> None:
    scans = [
        one(name, "s1", split, seed=0, content="x") for name, split in (("a", "val"), ("b", "test"), ("c", "test"))
    ]
    assert [finding.severity for finding in duplicate_findings(scans)] == ["error", "error"]


def test_a_training_scan_in_the_test_split_of_another_cohort_is_a_leak() -> None:
    pair = [one("a", "s1", "train", seed=0, content="x"), one("p", "p1", "test", seed=0, cohort="yours", content="x")]
    (finding,) = duplicate_findings(pair)
    assert (finding.severity, finding.flag, finding.cohort) == ("error", "leak", "mine and yours")
    assert finding.got == "equal voxels in a (mine train) and p (yours test)"
