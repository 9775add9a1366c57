"""A preparation keeps what is done, survives cases that fail, and is stopped by a full disk."""

import errno
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS
from skulls import draw_head, turn, write_raw, write_template

import datasets.preparation.workers as workers_module
from datasets.case import RawCase
from datasets.errors import BadValue
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.preparation.cohort import Progress, Summary, prepare_cohort
from datasets.preparation.scan import Parameters, Setup
from datasets.preparation.stripping import Stripper
from datasets.preparation.template import load_template

SPEC = replace(PATIENTS, sequences=("t1",))
SPLITS = {"a": "val", "b": "test", "c": "test"}


@dataclass(frozen=True)
class Desk:
    """A small download, and where it is prepared to."""

    raw: Path
    data: Path
    setup: Setup

    def cases(self, names: Sequence[str] = ("a", "b", "c")) -> list[RawCase]:
        """In the template's space already, so that nothing takes long."""
        made = []
        for at, name in enumerate(names):
            folder = self.raw / name
            known = folder.exists()
            case = RawCase(name, name, {"t1": folder / f"{name}_t1.nii.gz"}, "t1")
            case = replace(
                case, brain_mask=folder / f"{name}_brain.nii.gz", lesion_mask=folder / f"{name}_lesion.nii.gz"
            )
            written = case if known else write_raw(folder, name, draw_head(at), np.eye(4))
            assert written.images == case.images
            made.append(replace(case, site="here", age=41.5, sex="F", licence="none", space="sri24", corrected=True))
        return made

    def prepare(self, cases: Sequence[RawCase], *, workers: int = 1, setup: Setup | None = None) -> Summary:
        return prepare_cohort(SPEC, cases, SPLITS, setup or self.setup, self.home, workers=workers)

    @property
    def home(self) -> Path:
        return self.data / SPEC.name

    def changed(self) -> dict[str, int]:
        files = self.home.glob("*/*.nii.gz")
        return {str(path.relative_to(self.home)): path.stat().st_mtime_ns for path in files}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    template = load_template(write_template(tmp_path))
    return Desk(tmp_path / "raw", tmp_path / "data", Setup(template, Stripper("mask"), Parameters(spacing=4.0)))


def test_a_download_becomes_a_cohort_that_the_loader_reads(desk: Desk) -> None:
    summary = desk.prepare(desk.cases())
    assert [one.case_id for one in summary.records] == ["a", "b", "c"]
    assert (desk.home / "cases.csv").read_text().splitlines()[:2] == [
        "case_id,subject_id,split,sequences,site,age,sex,licence",
        "a,a,val,t1,here,41.5,F,none",
    ]
    files = SPEC.files(desk.data, "t1")
    case = load_case(files[0], Grid(shape=(40, 48, 40), spacing=4.0))
    assert case.lesion_mask is not None
    assert case.lesion_mask.sum() * case.voxel_ml == pytest.approx(summary.records[0].lesion.after)  # type: ignore[union-attr]


def test_the_account_holds_versions_parameters_hashes_and_lesion_volumes(desk: Desk) -> None:
    desk.prepare(desk.cases())
    account = json.loads((desk.home / "prepare.json").read_text())
    assert account["parameters"]["spacing"] == 4.0
    assert account["versions"]["SimpleITK"]
    assert account["template"]["sha256"] == desk.setup.template.sha256
    case = account["cases"]["a"]
    assert len(case["inputs"]) == 3
    assert set(case["outputs"]) == {f"{kind}/a.nii.gz" for kind in ("t1", "brain_mask", "lesion_mask")}
    assert all(len(one["sha256"]) == 64 for one in (*case["inputs"].values(), *case["outputs"].values()))
    assert case["lesion_resampling_percent"] == 0
    assert {"read", "strip", "register", "resample", "bias", "lesion"} <= set(case["seconds"])


def test_a_second_run_prepares_nothing_and_a_lost_file_only_its_case(desk: Desk) -> None:
    cases = desk.cases()
    desk.prepare(cases)
    before = desk.changed()
    assert desk.prepare(cases).new == 0
    assert desk.changed() == before
    (desk.home / "t1" / "b.nii.gz").unlink()
    assert desk.prepare(cases).new == 1
    now = desk.changed()
    assert {name for name in now if now[name] != before[name]} == {
        f"{k}/b.nii.gz" for k in ("t1", "brain_mask", "lesion_mask")
    }


def test_a_changed_input_or_another_parameter_prepares_again(desk: Desk) -> None:
    cases = desk.cases()
    desk.prepare(cases)
    write_raw(desk.raw / "c", "c", draw_head(4), np.eye(4))
    assert desk.prepare(cases).new == 1
    assert desk.prepare(cases, setup=replace(desk.setup, threads=2)).new == 0
    assert desk.prepare(cases, setup=replace(desk.setup, parameters=Parameters(spacing=3.5))).new == 3


def test_one_bad_case_is_named_and_left_out(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    cases = desk.cases()
    (desk.raw / "b" / "b_t1.nii.gz").write_bytes(b"torn")
    summary = desk.prepare(cases)
    assert [one.case_id for one in summary.failures] == ["b"]
    assert "cannot be read" in summary.failures[0].reason
    assert "b FAILED" in caplog.text
    assert [line.split(",")[0] for line in (desk.home / "cases.csv").read_text().splitlines()[1:]] == ["a", "c"]
    assert json.loads((desk.home / "prepare.json").read_text())["failures"]["b"]["reason"]


def test_a_case_that_fails_after_it_was_prepared_is_no_longer_in_the_cohort(desk: Desk) -> None:
    cases = desk.cases()
    desk.prepare(cases)
    (desk.raw / "a" / "a_lesion.nii.gz").write_bytes(b"")
    desk.prepare(cases)
    assert "\na," not in (desk.home / "cases.csv").read_text()
    assert not (desk.home / "records" / "a.json").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_what_stops_everything_leaves_whole_cases_and_no_table(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    cases, real = desk.cases(), workers_module.prepare_scan
    seen: list[str] = []

    def stopped(raw: RawCase, setup: Setup) -> object:
        seen.append(raw.case_id)
        if len(seen) == 2:
            raise stop
        return real(raw, setup)

    monkeypatch.setattr(workers_module, "prepare_scan", stopped)
    with pytest.raises((KeyboardInterrupt, BadValue), match="disk is full" if isinstance(stop, OSError) else None):
        desk.prepare(cases)
    assert not (desk.home / "cases.csv").exists()
    assert {name.split("/")[1] for name in desk.changed()} == {"a.nii.gz"}
    assert not list(desk.home.glob(".scratch*"))
    assert desk.prepare(cases).new == 2


def test_workers_write_the_same_voxels_and_a_killed_one_costs_its_own_case(desk: Desk, tmp_path: Path) -> None:
    cases = desk.cases()
    killed = replace(cases[1], unpack=_die)
    summary = desk.prepare([cases[0], killed, cases[2]], workers=2)
    assert [(one.case_id, "was killed" in one.reason) for one in summary.failures] == [("b", True)]
    alone = replace(desk, data=tmp_path / "alone")
    alone.prepare(cases)
    for kind in ("t1", "brain_mask", "lesion_mask"):
        assert (desk.home / kind / "a.nii.gz").read_bytes() == (alone.home / kind / "a.nii.gz").read_bytes()


def test_pictures_of_the_cases_are_written(desk: Desk) -> None:
    sheet = desk.prepare(desk.cases()).sheets
    assert [path.name for path in sheet] == ["001.png"]
    assert sheet[0].read_bytes().startswith(b"\x89PNG")


def test_names_that_a_file_system_may_not_tell_apart_are_refused(desk: Desk) -> None:
    (one,) = desk.cases(["a"])
    with pytest.raises(BadValue, match="'A': got a name like 'a'"):
        desk.prepare([one, replace(one, case_id="A")])
    with pytest.raises(BadValue, match="one name twice"):
        desk.prepare([one, one])


def test_a_place_that_cannot_be_written_is_told_before_any_work(desk: Desk) -> None:
    cases = desk.cases(["a"])
    desk.data.write_text("a file")
    with pytest.raises(BadValue, match="cannot be written"):
        desk.prepare(cases)


def _die(scratch: Path) -> RawCase:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_turned_head_is_told_with_its_lesion_volumes(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    raw = write_raw(desk.raw / "a", "a", draw_head(), turn((8, 0, 0), (1.1, 1.1, 1.1), (20, 0, 0)))
    (record,) = desk.prepare([raw]).records
    assert record.lesion is not None
    assert record.lesion.change_percent == pytest.approx(100 * (1.1**-3 - 1), abs=8)
    assert abs(record.lesion.resampling_percent) < 8
    assert "% beyond scaling" in caplog.text


def test_the_time_that_is_left_follows_from_what_is_done() -> None:
    times = iter([100.0, 110.0, 120.0])
    progress = Progress(3, clock=lambda: next(times))
    assert [progress.count(name) for name in ("a", "b", "c")] == [
        "[1/3] a (0:00:20 left)",
        "[2/3] b (0:00:10 left)",
        "[3/3] c",
    ]
