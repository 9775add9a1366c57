"""What changed since an earlier run, of runs written by hand."""

from pathlib import Path

import pytest
from runs_by_hand import write_run

from benchmark.analysis.changes import changes_since

pytestmark = pytest.mark.usefixtures("plugin")


def test_the_same_run_has_not_changed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,))
    found = changes_since(run, run)
    assert found.facts == ()
    assert {one.difference for one in found.moved} == {0.0}
    assert all(one.same_fits for one in found.moved)


def test_numbers_are_paired_by_patient_over_common_seeds_and_settings_told(tmp_path: Path) -> None:
    before = write_run(tmp_path / "before", seeds=(0, 1), means={"good": 0.40, "gone": 0.2})
    now = write_run(tmp_path / "now", seeds=(1, 2), means={"good": 0.45, "new": 0.3})
    found = changes_since(now, before)
    told = {one.what: (one.before, one.now) for one in found.facts}
    assert told["method gone"] == ("yes", "")
    assert told["method new"] == ("", "yes")
    assert told["seeds of good"] == ("0, 1", "1, 2")
    assert {one.method for one in found.moved} == {"good"}
    place = ("patients", "dice", "healthy-fpr-1")
    (dice,) = (one for one in found.moved if (one.choice.dataset, one.choice.metric, one.choice.protocol) == place)
    assert (dice.n, dice.seeds) == (30, 1)
    assert dice.difference == pytest.approx(0.05)
    assert dice.now - dice.before == pytest.approx(dice.difference)
    assert found.name == "before"
