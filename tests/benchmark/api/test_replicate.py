"""replicate: a study's runs, and its page."""

from pathlib import Path

import pytest
from commandline import call, refused
from published_studies import FACTS, write_study

from benchmark.api.comparison import compare
from benchmark.api.replication import replicate
from benchmark.replication import published_study

pytestmark = pytest.mark.usefixtures("plugin")
NEAR = FACTS.replace('["ae"]', '["edge"]').replace('["vae"]', '["smooth"]').replace('seeds = "0-2"', 'seeds = "0-1"')
HISTOGRAMS = """
[[items]]
name = "histograms"
kind = "histogram"
title = "Histograms"
rows = ["AE"]
contrasts = [0.5, 1.0]

[[ambiguities]]"""
TRAINED = (
    NEAR.replace('["edge"]', '["ae"]').replace('["smooth"]', '["edge"]').replace("[[ambiguities]]", HISTOGRAMS)
    + """
[tiers.paper.hyperparameters]
ae = { size = 16, steps = 2, validate_every = 2, batch_size = 2 }
"""
)
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
    assert compare(home / "out" / "published", "edge", "smooth").pairs  # as of every run
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
    assert set(found.left) == {"published", "default"}
    assert found.left["published"].cases == sum(
        len(found.planned[0].study.mapped_cases(cell)) for cell in found.planned[0].study.cells
    )


def test_hours_are_those_of_what_is_left(home: Path, data: Path) -> None:
    """Nothing is left after the run; fits of another run folder that are named are at hand for the next."""
    write_study(home, facts=TRAINED)
    before = replicate("tiny", data=data, out=home / "out", dry_run=True).left["published"]
    assert (before.trainings, before.at_hand) == (2, 0)
    assert before.training_hours > 0
    assert before.mapping_hours > 0
    replicate("tiny", data=data, out=home / "out")
    after = replicate("tiny", data=data, out=home / "out", dry_run=True).left["published"]
    assert (after.trainings, after.at_hand, after.cases) == (0, 2, 0)
    assert after.training_hours == after.mapping_hours == 0
    (home / "tiny.toml").write_text(TRAINED.replace('seeds = "0-1"', f'seeds = "0-2"\nfits = ["{home}/out/published"]'))
    taken = replicate("tiny", data=data, out=home / "next", dry_run=True).left["published"]
    assert (taken.trainings, taken.at_hand) == (1, 2)
    assert not (home / "next").exists()
    (trained, *_) = sorted((home / "out" / "published" / "fits").glob("ae*"))
    cut_short = home / "next" / "published" / f".{trained.name}.part"
    cut_short.mkdir(parents=True)
    replicate("tiny", data=data, out=home / "next")
    weights = trained.relative_to(home / "out") / "weights.safetensors"
    assert (home / "next" / weights).read_bytes() == (home / "out" / weights).read_bytes()
    assert not cut_short.exists()


def test_without_training_finished_fits_alone_are_used(home: Path, data: Path) -> None:
    write_study(home, facts=TRAINED)
    none = replicate("tiny", data=data, out=home / "none", training=False)
    lines = {line.item.name: line for line in none.statuses}
    table = lines["table1"]
    assert (table.status, table.values, table.why) == ("within interval", 2, "a training of ae")
    assert (lines["histograms"].status, lines["histograms"].why) == ("not run", "a training of ae")


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


def test_a_study_of_ones_own_is_named_by_its_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    facts, _ = write_study(tmp_path / "mine", facts=NEAR)
    found = replicate(str(facts), data=tmp_path / "nowhere", out=home / "out")
    assert [line.status for line in found.statuses] == ["not run"]
    assert "replicate tiny" in found.pages[1].read_text(encoding="utf-8")


def test_what_is_not_known_is_answered_in_one_line() -> None:
    for arguments, told in (
        (("cdpm2023",), "Did you mean 'cddpm2023'"),
        (("cddpm2023", "--tier", "papper"), "Did you mean 'paper'"),
        (("cddpm2023", "--items", "table9"), "Available: "),
        (("cddpm2023", "--executor", "slurm"), "expected inline or local"),
        (("missing.toml",), "no file that can be read"),
    ):
        assert told in refused(call("replicate", *arguments))
