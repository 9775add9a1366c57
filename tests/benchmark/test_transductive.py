"""A transductive method: told by its card, handed a whole split, and ranked with no other."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, TINY
from commandline import STUDY, call, refused
from detectors import AmongOthers, MeanDistance

from benchmark.methods.card import Card
from benchmark.methods.contract.check import check_rules
from benchmark.storage.maps import read_volume
from datasets.loading import load_case

NEIGHBOURS = "A case's map alone is its map in a batch, in any order, bit for bit, unless the card says transductive"


@pytest.fixture
def run(data: Path, tmp_path: Path, plugin: None) -> Path:
    """A run beside methods that see one scan at a time; four are mapped at once where none asks for more."""
    arguments = ["--data", data, "--out", tmp_path / "run", "--protocols", "healthy-fpr-5", "--postprocessing", "none"]
    done = call("run", *STUDY[2:], "--methods", "mean-distance,among-others,noisy", *arguments)
    assert done.exit_code == 0, done.output
    return tmp_path / "run"


def test_it_is_handed_a_whole_split_whatever_the_batch(run: Path, data: Path) -> None:
    (cell,) = run.glob("cells/among-others-patients-none-*")
    for split in ("val", "test"):
        cases = [load_case(one, TINY) for one in PATIENTS.files(data, "t1") if one.split == split]
        mean = np.mean([case.image[0] for case in cases], axis=0)
        for case in cases:
            kept = read_volume(cell / "maps" / f"{case.case_id}.nii.gz")
            np.testing.assert_allclose(kept, np.abs(case.image[0] - mean) * case.brain_mask, rtol=2e-3, atol=1e-6)
    assert call("verify", run, "--data", data, "--maps", 12, "--plugin", "among-others").exit_code == 0


def test_it_is_badged_and_ranked_with_no_other(run: Path) -> None:
    def lines(name: str) -> list[dict[str, str]]:
        with (run / name).open(newline="") as stream:
            return list(csv.DictReader(stream))

    assert {line["a"] for line in lines("comparisons.csv")} | {line["b"] for line in lines("comparisons.csv")} == {
        "mean-distance",
        "noisy",
    }
    own = [line for line in lines("summary.csv") if line["method"] == "among-others" and line["order"] == "1"]
    assert own
    assert {line["rank_low"] for line in own} == {""}
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "among-others (transductive" in report
    assert "**Transductive** (among-others)" in report
    (table,) = [part for part in report.split("\n\n") if part.startswith("| Method") and "Dice" in part][:1]
    assert table.index("noisy") < table.index("among-others") < table.index("perfect map")


def test_a_board_says_what_its_badge_means(run: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    plugins = [word for name in ("mean-distance", "among-others", "noisy") for word in ("--plugin", name)]
    for arguments in (("add", board, run, *plugins), ("build", board)):
        done = call("leaderboard", *arguments)
        assert done.exit_code == 0, done.output
    page = (board / "site" / "methods" / "among-others.html").read_text(encoding="utf-8")
    assert "depends on the scans mapped together with it" in page


def test_a_single_scan_is_refused(run: Path, data: Path) -> None:
    scan = PATIENTS.files(data, "t1")[0].image
    told = refused(call("predict", "among-others", scan, "--run", run, "--prepared"))
    assert "got a transductive method" in told


@pytest.mark.parametrize(
    ("cls", "transductive", "verdict"),
    [(AmongOthers, True, "OK"), (AmongOthers, False, "BROKEN"), (MeanDistance, True, "BROKEN")],
)
def test_the_contract_asks_the_card(cls: type[MeanDistance], transductive: bool, verdict: str) -> None:
    class Declared(cls):  # type: ignore[valid-type, misc]
        card = replace(cls.card, transductive=transductive)

    found = {one.rule: one.verdict for one in check_rules(lambda: Declared(Declared.Config()))}
    assert found[NEIGHBOURS] == verdict
    assert isinstance(Declared.card, Card)
