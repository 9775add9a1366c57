"""replicate: a study's runs, and its page."""

from pathlib import Path

import pytest
from commandline import call, refused
from published_studies import FACTS, write_study

from benchmark.api.replication import replicate
from benchmark.replication import published_study

pytestmark = pytest.mark.usefixtures("plugin")
NEAR = FACTS.replace('["ae"]', '["edge"]').replace('["vae"]', '["smooth"]').replace('seeds = "0-2"', 'seeds = "0-1"')
GPU = NEAR.replace('preset = "quick"', 'preset = "quick"\ndevice = "cuda"')


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(published_study, "FOLDER", tmp_path)
    return tmp_path


def test_the_same_call_goes_on_where_it_was_stopped(home: Path, data: Path) -> None:
    write_study(home, facts=NEAR)
    first = replicate("tiny", data=data, out=home / "out")
    rows = [path.read_bytes() for path in sorted((home / "out").glob("*/rows.csv"))]
    made = {path: path.stat().st_mtime_ns for path in (home / "out").glob("*/cells/*/maps/*")}
    assert len(rows) == 2
    assert made
    assert not first.failed
    assert {line.status for line in first.statuses} <= {"within interval", "same order", "contradicted"}
    again = replicate("tiny", data=data, out=home / "out")
    assert {path: path.stat().st_mtime_ns for path in (home / "out").glob("*/cells/*/maps/*")} == made
    assert again.statuses == first.statuses
    assert all(path.is_file() for path in again.pages)


def test_a_dry_run_computes_nothing(home: Path, data: Path) -> None:
    write_study(home, facts=NEAR)
    found = replicate("tiny", data=data, out=home / "out", dry_run=True)
    assert [one.folder.root.name for one in found.planned] == ["published", "default"]
    assert [one.study.grid.sampling for one in found.planned] == ["spline", "average"]
    assert not (home / "out").exists()
    assert not found.pages


def test_cohorts_that_are_not_there_are_named(home: Path, tmp_path: Path) -> None:
    write_study(home, facts=NEAR)
    found = replicate("tiny", data=tmp_path / "nowhere", out=home / "out")
    assert not found.planned
    (line,) = found.statuses
    assert line.status == "not run"
    assert "Volunteers" in line.why
    assert "Patients" in line.why


def test_without_its_device_a_tier_is_shown_and_not_computed(home: Path, data: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    write_study(home, facts=GPU)
    found = replicate("tiny", data=data, out=home / "out")
    assert not found.planned
    assert [line.why for line in found.statuses] == ["a GPU (or --device cpu)"]


def test_what_is_not_known_is_answered_in_one_line() -> None:
    for arguments, told in (
        (("cdpm2023",), "Did you mean 'cddpm2023'"),
        (("cddpm2023", "--tier", "papper"), "Did you mean 'paper'"),
        (("cddpm2023", "--items", "table9"), "Available: "),
    ):
        assert told in refused(call("replicate", *arguments))
