"""`python -m datasets shifts | doses | show`."""

import json
from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from datasets.__main__ import app
from datasets.cohorts.catalog import dataset
from datasets.commands.shifts import calibrate_levels, measure_dose
from datasets.errors import BadValue, UnknownName
from datasets.loading import load_case
from datasets.shift_requests import ShiftRequest
from datasets.shifts import Shift
from datasets.shifts.registry import SHIFTS

pytestmark = pytest.mark.usefixtures("plugin")


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_shifts_are_listed_and_broken_ones_told_on_stderr() -> None:
    listed = call("shifts", "--json")
    assert {one["name"] for one in json.loads(listed.stdout)} == {*SHIFTS.built_in, "halved"}
    assert "package_that_is_not_installed" in listed.stderr
    assert "halved" in call("shifts").stdout


def test_doses_are_measured_on_healthy_training_cases(data: Path) -> None:
    common = ("doses", "--data", data, "--healthy", "volunteers", "--preset", "quick", "--json")
    told = [
        json.loads(line) for line in call(*common, "--shifts", "gamma=0.5,transfer[patients]=1").stdout.splitlines()
    ]
    training = [one for one in dataset("volunteers").files(data, "t1") if one.split == "train"]
    expected = [load_case(one, TINY, Shift("gamma", 0.5)).shift_dose for one in training]
    assert [one["shift"] for one in told] == ["gamma", "transfer[patients]"]
    assert told[0]["dose"] == pytest.approx(np.mean(expected))
    assert told[0]["sd"] == pytest.approx(np.std(expected, ddof=1))


def test_a_calibrated_level_reaches_its_dose_and_one_out_of_reach_says_so(data: Path) -> None:
    files = [one for one in dataset("volunteers").files(data, "t1") if one.split == "train"]
    for wanted, level in zip((0.02, 0.05), calibrate_levels(SHIFTS["noise"], files, TINY, (0.02, 0.05)), strict=True):
        assert measure_dose(ShiftRequest(SHIFTS["noise"], level), files, TINY).mean == pytest.approx(wanted, rel=0.1)
    (most,) = calibrate_levels(SHIFTS["window"], files, TINY, (0.9,))
    assert most == 1.0
    assert not measure_dose(ShiftRequest(SHIFTS["window"], most), files, TINY, target=0.9).reached


def test_a_picture_has_a_row_a_case_and_kind_and_a_column_a_level(data: Path, tmp_path: Path) -> None:
    common = ("show", "patients", "--data", data, "--preset", "quick", "--case", "patients-val-0")
    shapes = []
    for shift in ("gamma", "gamma,noise", "gamma=0.5"):
        path = tmp_path / "pictures" / f"{shift}.png"
        assert call(*common, "--shift", shift, "--out", path).stdout == f"Picture: {path}\n"
        shapes.append(imread(path).shape[:2])
    assert shapes[1][0] > 1.5 * shapes[0][0]
    assert shapes[2][1] < 0.5 * shapes[0][1]


def test_without_shift_the_scans_are_shown_with_their_masks(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call("show", "volunteers", "--data", data, "--preset", "quick")
    call("show", "patients", "--data", data, "--preset", "quick")
    orange = [_orange(imread(tmp_path / f"{name}.png")) for name in ("volunteers", "patients")]
    assert orange[0] < 20 < 100 < orange[1]  # the outlines of lesions, beside what anti-aliased letters leave


def _orange(picture: np.ndarray) -> int:  # type: ignore[type-arg]
    wanted = np.array([0xE6, 0x9F, 0x00]) / 255
    return int((np.abs(picture[..., :3] - wanted) < 0.02).all(axis=-1).sum())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--shift", "gama"), "Did you mean 'gamma'"),
        (("--case", "patients-val-9"), "No case 'patients-val-9'. Did you mean"),
        (("--preset", "papper"), "No preset"),
        (("--shift", "none"), "expected one or more names"),
    ],
)
def test_slips_are_refused(data: Path, arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises((BadValue, UnknownName), match=told):
        call("show", "patients", "--data", data, *arguments)
