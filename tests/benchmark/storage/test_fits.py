"""What is kept of a fit for its reader."""

from dataclasses import replace
from pathlib import Path

import pytest
from cohorts import TINY

from benchmark.methods.card import Card
from benchmark.storage.fits import DataCard, card_of_finished, read_card, sees_labels, training_stages, write_card
from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Cohort, Fit
from datasets.errors import BadFile
from datasets.io.atomic import write_json

FIT = Fit("ae", "module:AE", {}, Cohort("volunteers", "t1", "0" * 64), TINY, 0)
CARD = Card("healthy scans", "slices", "nothing", references=("A paper",), departures=("one", "two"))
DATA_CARD = DataCard(CARD, "volunteers", "t1", {"spacing": 4.0}, 3, 2, 0, 400, 1234, 5.5)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_card(run.fit(FIT), DATA_CARD)
    assert read_card(run, FIT) == DATA_CARD
    bare = replace(DATA_CARD, card=None, steps=None)
    write_card(run.fit(FIT), bare)
    assert read_card(run, FIT) == bare
    assert bare.supervision == ""


def test_a_run_of_before_has_no_card_and_a_torn_one_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert read_card(run, FIT) is None
    write_json(run.fit(FIT) / "card.json", {"card": None})
    with pytest.raises(BadFile, match=r"card.json: got a data card that cannot be read"):
        read_card(run, FIT)


@pytest.mark.parametrize(("supervision", "seen"), [("none", False), ("healthy scans", False), ("lesion labels", True)])
def test_only_lesion_labels_are_lesion_labels(tmp_path: Path, supervision: str, seen: bool) -> None:
    run = RunFolder(tmp_path)
    assert not sees_labels(run, FIT)
    with pytest.raises(BadFile, match=r"fit.json: missing"):
        card_of_finished(run, FIT)
    write_card(run.fit(FIT), replace(DATA_CARD, card=replace(CARD, supervision=supervision)))  # type: ignore[arg-type]
    assert sees_labels(run, FIT) is seen


def test_speed_names_each_stage_that_told_it(tmp_path: Path) -> None:
    assert DATA_CARD.speed == ""
    assert training_stages(tmp_path) == ()
    (tmp_path / "training.json").write_text(
        '[{"name": "pretrain", "steps_per_second": 12.34, "data_wait_fraction": 0.021}, {"name": "train", "steps": 3}]'
    )
    told = replace(DATA_CARD, training=training_stages(tmp_path))
    assert told.speed == "pretrain at 12.3 steps/s, 2 % waiting for data"


@pytest.mark.parametrize("content", ['{"train": 1}', "[1, null]", "3"])
def test_what_a_plugin_leaves_under_that_name_does_no_harm(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.json").write_text(content)
    assert training_stages(tmp_path) == ()
