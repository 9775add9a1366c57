"""Cases are made once, whoever asks, and again as soon as anything that they come from has changed."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, TINY, VOLUNTEERS
from typer.testing import CliRunner

from datasets import case_cache, loading
from datasets.__main__ import app
from datasets.case import Case, CaseFiles
from datasets.errors import BadFile
from datasets.io import contents
from datasets.io import files as io_files
from datasets.loading import load_case, masks_of


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sequence[str]:
    """The cases that are made from now on; an empty cache, and files that are settled at once."""
    names: list[str] = []
    original = loading._made

    def spy(files: CaseFiles, grid: loading.Grid) -> Case:
        names.append(files.case_id)
        return original(files, grid)

    monkeypatch.setattr(loading, "_made", spy)
    monkeypatch.setattr(io_files, "SETTLED_NS", 0)
    monkeypatch.setenv(contents.CACHE, str(tmp_path / "cache"))
    return names


@pytest.fixture
def patient(own_data: Path) -> CaseFiles:
    files = PATIENTS.files(own_data, "t1")[0]
    return replace(files, ignore_mask=files.brain_mask)


def same(one: Case, other: Case) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Case))


def kept() -> list[Path]:
    return sorted(case_cache.cases_folder().glob("*"))


def test_a_case_is_made_once_and_has_every_bit_that_it_has_without_cache(
    patient: CaseFiles, own_data: Path, made: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = VOLUNTEERS.files(own_data, "t1")[0]
    coarse = replace(TINY, shape=(6, 6, 4), spacing=9.0)
    for files in (patient, healthy):
        for grid in (TINY, coarse):
            first, second = load_case(files, grid), load_case(files, grid)
            with monkeypatch.context() as off:
                off.setenv(case_cache.NO_CACHE, "1")
                without = load_case(files, grid)
            assert same(first, second)
            assert same(second, without)
            assert np.array_equal(masks_of(files, grid).brain_mask, without.brain_mask)
    assert list(made) == [patient.case_id] * 4 + [healthy.case_id] * 4
    assert len(kept()) == 4


def test_no_case_is_kept_without_cache(
    patient: CaseFiles, made: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(case_cache.NO_CACHE, "1")
    load_case(patient, TINY)
    assert not case_cache.cases_folder().exists()


@pytest.mark.parametrize("role", ["image", "brain_mask", "lesion_mask", "ignore_mask"])
def test_a_case_is_made_again_after_a_change_of_any_file_that_keeps_size_and_time(
    patient: CaseFiles, made: Sequence[str], role: str
) -> None:
    patient = replace(patient, ignore_mask=patient.image.with_name("ignored.nii.gz"))
    assert patient.ignore_mask is not None
    shutil.copy(patient.brain_mask, patient.ignore_mask)
    load_case(patient, TINY)
    path: Path = getattr(patient, role)
    facts, content = path.stat(), path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    load_case(patient, TINY)
    assert len(made) == 2


def test_masks_in_memory_are_of_the_file_that_is_there(patient: CaseFiles, made: Sequence[str]) -> None:
    assert patient.lesion_mask is not None
    before = masks_of(patient, TINY)
    facts = patient.lesion_mask.stat()
    shutil.copy(patient.brain_mask, patient.lesion_mask)
    os.utime(patient.lesion_mask, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = masks_of(patient, TINY)
    assert np.array_equal(after.lesion_mask, after.brain_mask)
    assert not np.array_equal(after.lesion_mask, before.lesion_mask)


def test_a_split_and_a_subject_make_no_other_case_and_a_rule_does(patient: CaseFiles, made: Sequence[str]) -> None:
    load_case(patient, TINY)
    load_case(replace(patient, split="train", subject_id="x"), TINY)
    assert len(made) == 1
    load_case(patient, replace(TINY, sampling="spline"))
    load_case(patient, replace(TINY, percentiles=(0.0, 100.0)))
    assert len(made) == 3


def test_a_file_that_changed_just_now_may_change_again(
    patient: CaseFiles, made: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io_files, "SETTLED_NS", 10**12)
    load_case(patient, TINY)
    assert not kept()


def test_a_damaged_case_is_made_again(patient: CaseFiles, made: Sequence[str]) -> None:
    whole = load_case(patient, TINY)
    (path,) = kept()
    content = bytearray(path.read_bytes())
    listed = content.rindex(b"lesion_mask.npy")  # of the names at the end, by which an archive is read
    damages = (
        b"",
        b"text",
        content[: len(content) // 2],
        content[:3000] + b"\xff" + content[3001:],
        content[:listed] + b"L" + content[listed + 1 :],
        content[: listed + 14] + content[listed + 15 :],
    )
    for damaged in damages:
        path.write_bytes(damaged)
        assert same(load_case(patient, TINY), whole)
    assert len(made) == 1 + len(damages)


def test_a_folder_that_cannot_be_written_costs_time_only(
    patient: CaseFiles, made: Sequence[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(contents.CACHE, str(tmp_path / "file" / "below"))
    assert same(load_case(patient, TINY), load_case(patient, TINY))
    assert len(made) == 2


def test_a_bad_file_is_refused_although_the_case_was_kept(patient: CaseFiles, made: Sequence[str]) -> None:
    load_case(patient, TINY)
    patient.image.write_bytes(patient.image.read_bytes()[:100])
    with pytest.raises(BadFile):
        load_case(patient, TINY)


def test_the_cache_stays_below_its_bound_and_drops_what_was_not_used_for_longest(
    own_data: Path, made: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *others = VOLUNTEERS.files(own_data, "t1")
    load_case(first, TINY)
    size = kept()[0].stat().st_size
    monkeypatch.setattr(case_cache, "MOST_BYTES", 3 * size + 100)
    for files in (second, *others):
        load_case(files, TINY)
        load_case(first, TINY)
    assert len(kept()) == 3
    assert made.count(first.case_id) == 1
    load_case(second, TINY)
    assert made.count(second.case_id) == 2


def test_readers_and_writers_at_once_all_get_their_case(
    own_data: Path, made: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = VOLUNTEERS.files(own_data, "t1")
    monkeypatch.setattr(case_cache, "MOST_BYTES", 40_000)  # three cases
    expected = [load_case(files, TINY) for files in cases]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda files: load_case(files, TINY), list(cases) * 10))
    assert all(same(one, expected[index % len(cases)]) for index, one in enumerate(found))


def test_one_command_shows_and_clears_it(patient: CaseFiles, made: Sequence[str], tmp_path: Path) -> None:
    load_case(patient, TINY)
    contents.content_marks([patient.image])
    (tmp_path / "cache" / "else").touch()
    told = CliRunner().invoke(app, ["cache"]).output
    assert "cases: 1 file" in told
    assert "contents: 1 file" in told
    CliRunner().invoke(app, ["cache", "--clear"])
    assert sorted((tmp_path / "cache").iterdir()) == [tmp_path / "cache" / "else"]
    assert "cases: 0 files" in CliRunner().invoke(app, ["cache"]).output
