"""What a fit finds in its folder, what it leaves there, and what is told of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from detectors import MeanDistance
from studies import SCORING, Runner, stamps

from benchmark.execution.fit_methods import load_or_fit, training_key
from benchmark.execution.job import Job
from benchmark.inference.settings import Inference
from benchmark.storage.fits import read_card
from benchmark.storage.folder import create_run
from benchmark.storage.run_record import kept_cells
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.case import Case
from datasets.errors import UserError

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def fit_folder(study: Runner) -> Path:
    (folder,) = (study.out / "fits").iterdir()
    return folder


def fit_that(does: Callable[[Path], None]) -> Callable[..., None]:
    """A fit that first does something with its folder."""
    original = MeanDistance.fit

    def fit(self: MeanDistance, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        does(workdir)
        original(self, train, val, seed=seed, workdir=workdir)

    return fit


def leave_a_checkpoint_and_die(workdir: Path) -> None:
    (workdir / "checkpoints").mkdir(exist_ok=True)
    (workdir / "checkpoints" / "step-10").touch()
    raise KeyboardInterrupt


def kill_a_fit(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MeanDistance, "fit", fit_that(leave_a_checkpoint_and_die))
        with pytest.raises(KeyboardInterrupt):
            study.run()


@pytest.mark.parametrize(("rerun", "found"), [("missing", ["step-10"]), ("failed", ["step-10"]), ("all", [])])
def test_a_killed_fit_finds_its_checkpoints_unless_all_is_made_anew(
    study: Runner, monkeypatch: pytest.MonkeyPatch, rerun: Any, found: list[str]
) -> None:
    kill_a_fit(study, monkeypatch)
    folder, there = fit_folder(study), list[str]()
    monkeypatch.setattr(
        MeanDistance, "fit", fit_that(lambda workdir: there.extend(one.name for one in workdir.glob("checkpoints/*")))
    )
    assert study.run(rerun=rerun) == []
    assert there == found
    assert fit_folder(study) == folder


def test_rerunning_all_leaves_nothing_of_the_fit_before(study: Runner) -> None:
    study.run()
    stale = fit_folder(study) / "log" / "metrics.csv"
    stale.parent.mkdir()
    stale.touch()
    study.run()
    assert stale.exists()
    study.run(rerun="all")
    assert not stale.exists()
    assert (fit_folder(study) / "fit.json").exists()


def test_a_data_card_says_what_was_fitted_on_what(study: Runner) -> None:
    study.run(seeds="3")
    fit = kept_cells(study.folder)[0].fit
    card = read_card(study.folder, fit)
    assert card is not None
    assert card.card == MeanDistance.card
    assert (card.healthy, card.sequence, card.train, card.val, card.seed) == ("volunteers", "t1", 3, 3, 3)
    assert (card.steps, card.parameters, card.training, card.weights_of) == (None, 0, (), None)
    assert card.grid["spacing"] == fit.grid.spacing
    assert card.seconds == json.loads((fit_folder(study) / "fit.json").read_text())["seconds"]


def test_speeds_that_a_training_left_are_said_and_kept(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [{"name": "train", "steps": 7, "steps_per_second": 3.25, "data_wait_fraction": 0.5}]
    leave = fit_that(lambda workdir: (workdir / "training.json").write_text(json.dumps(told)) and None)
    monkeypatch.setattr(MeanDistance, "fit", leave)
    study.run()
    card = read_card(study.folder, kept_cells(study.folder)[0].fit)
    assert card is not None
    assert card.training == tuple(told)
    assert any(line.endswith("(train at 3.2 steps/s, 50 % waiting for data)") for line in study.log)


def test_weights_taken_over_bring_the_card_of_their_training(study: Runner) -> None:
    study.run("mean-distance,mean-distance[power=2.0]")
    cards = {cell.fit.method: read_card(study.folder, cell.fit) for cell in kept_cells(study.folder)}
    first, second = cards["mean-distance"], cards["mean-distance[power=2.0]"]
    assert first is not None
    assert second is not None
    assert second.seconds == first.seconds
    assert str(second.weights_of).startswith("mean-distance-")


@pytest.mark.parametrize("known", [True, False])
def test_devices_reach_the_detectors_that_know_of_them(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if known:
        monkeypatch.setattr(MeanDistance, "devices", 1, raising=False)
    one = plan(Request("mean-distance", "patients", data, preset="quick"))
    two = plan(Request("mean-distance", "patients", data, preset="quick", devices=2))
    assert (one.fits[0].key != two.fits[0].key) == known
    job = Job(two, create_run(tmp_path / "run"), data, Inference(), SCORING, "missing")
    detector = load_or_fit(job.fit_context, two.fits[0], mend=False)
    assert getattr(detector, "devices", None) == (2 if known else None)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("ae", r"Method 'ae': Got slices of \d+ x \d+, expected 48 x 48"),
        ("svae[size=16,sequence=99]", r"Got a stack of 99 slices, expected 1\.\.12, the slices of a volume"),
        ("ddpm[heads=3]", "Attention: got 3 heads, expected a divisor"),
        ("ddpm[multipliers=[]]", r"cannot be built \(IndexError"),
        ("ddpm[size=16,precision=fp16]", "Got precision 'fp16' on the CPU"),
        ("ddpm[size=16,weights=w/ddpm-0123456789ab.safetensors]", "no file that can be read"),
    ],
)
def test_what_a_built_in_cannot_do_is_told_before_anything_is_computed(
    study: Runner, method: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        study.run(f"mean-distance,{method}")
    assert not list(study.out.glob("fits/*"))


def fits(out: Path) -> dict[str, dict[str, object]]:
    records = [json.loads(path.read_text()) for path in out.glob("fits/*/fit.json")]
    return {record["fit"]["method"]: record for record in records}


def test_a_variant_at_test_time_takes_the_weights_of_the_fit_that_trained_alike(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    assert runner.run("mean-distance,mean-distance[power=2.0]") == []
    kept = fits(runner.out)
    assert "weights_of" not in kept["mean-distance"]
    assert str(kept["mean-distance[power=2.0]"]["weights_of"]).startswith("mean-distance-")
    assert any("weights of" in line for line in runner.log)
    values = {row["method"]: row["value"] for row in runner.rows() if row["metric"] == "threshold"}
    assert values["mean-distance"] != values["mean-distance[power=2.0]"]


def test_a_variant_in_training_is_fitted_itself(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run('mean-distance,mean-distance[sides=["dark"]]')
    assert all("weights_of" not in record for record in fits(runner.out).values())


def test_a_method_without_a_training_of_its_own_shares_the_weights_of_the_one_it_names(data: Path) -> None:
    alike = "size=16,steps=1"
    names = (f"ddpm[{alike}]", f"autoddpm[{alike}]", f"autoddpm[{alike},t_fuse=7]", f"autoddpm[{alike},width=8]")
    study = plan(Request(",".join(names), "patients", data, preset="quick"))
    assert len({fit.key for fit in study.fits}) == 4
    plain, auto, at_test, wider = map(training_key, study.fits)
    assert plain == auto == at_test != wider


def test_another_seed_is_fitted_itself(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,mean-distance[power=2.0]", seeds="0-1")
    weights_of = [record.get("weights_of") for record in map(json.loads, read(runner.out))]
    assert weights_of.count(None) == 2
    assert len(set(weights_of)) == 3


def test_running_again_leaves_the_weights_alone(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,mean-distance[power=2.0]")
    before = stamps(runner.out, "fits/*/*")
    runner.run("mean-distance,mean-distance[power=2.0]")
    assert stamps(runner.out, "fits/*/*") == before


def read(out: Path) -> list[str]:
    return [path.read_text() for path in out.glob("fits/*/fit.json")]
