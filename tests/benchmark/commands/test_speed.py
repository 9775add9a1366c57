"""`speed`: numbers of real scans as text, JSON and rows; what is refused."""

import json
from math import isnan
from pathlib import Path

import pytest
from commandline import Program, refused

from benchmark.inference.usage import STAGES
from benchmark.speed.tables import QUANTITIES
from benchmark.storage.rows import read_rows

pytestmark = pytest.mark.usefixtures("plugin")
ASKED = ("speed", "--datasets", "patients", "--preset", "quick", "--device", "cpu", "--volumes", "2")


@pytest.fixture(autouse=True)
def quick_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.speed.flops.SIDES", {"cpu": 64})
    monkeypatch.setattr("benchmark.speed.flops.SECONDS", 0.0)


def test_it_measures_what_the_page_says(program: Program, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "speed.csv"
    told = program(*ASKED, "--methods", "mean-distance", "--data", data, "--json", "--csv", table)
    assert told.exit_code == 0, told.output
    (timing,) = json.loads(told.stdout)["timings"]
    numbers = timing["numbers"]
    assert set(numbers) == set(QUANTITIES) - {"map_difference", "dice_difference"}
    assert timing["method"] == "mean-distance"
    assert timing["volumes"] == len(timing["seconds"]) == 2
    assert numbers["seconds_p95"] >= numbers["seconds_p50"] > 0
    assert numbers["volumes_per_second"] > 0
    assert all(numbers[f"{stage}_seconds"] > 0 for stage in STAGES)
    assert numbers["host_bytes"] == numbers["peak_bytes"] > 1e7
    assert numbers["joules_per_volume"] is None
    assert timing["energy_source"] == "not measurable"
    assert "torch" in json.loads(told.stdout)["environment"]
    rows = read_rows(table)
    assert (rows["metric"] == "seconds").sum() == 2
    assert set(rows["flags"]) == {"fp32 cpu batch=32"}
    assert rows.loc[rows["metric"] == "joules_per_volume", "value"].map(isnan).all()


def test_what_is_measured_of_a_run_stays_in_it_for_its_report(program: Program, data: Path, tmp_path: Path) -> None:
    methods, out = "mean-distance,noisy", tmp_path / "run"
    told = program("run", "--methods", methods, *ASKED[1:5], "--data", data, "--out", out, "--pictures", "")
    assert told.exit_code == 0, told.output
    for asked in ("noisy", methods, "mean-distance"):
        told = program(*ASKED, "--methods", asked, "--data", data, "--run", out)
        assert told.exit_code == 0, told.output
    rows = read_rows(out / "speed.csv")
    assert rows[rows["metric"] == "seconds"]["method"].value_counts().to_dict() == {"mean-distance": 2, "noisy": 2}
    assert program("report", out).exit_code == 0
    assert (out / "report.md").read_text().count("fp32 cpu batch=32") == 2


def test_text_never_says_zero_for_what_cannot_be_measured(program: Program, data: Path) -> None:
    told = program(*ASKED, "--methods", "mean-distance", "--data", data)
    assert told.exit_code == 0, told.output
    assert "mean-distance (fp32 cpu batch=32; 2 volumes of patients, weights fitted here)" in told.stdout
    (energy,) = [line for line in told.stdout.splitlines() if "energy a volume" in line]
    assert energy.split(maxsplit=3)[3] == "not measurable"


def test_precisions_are_compared_with_fp32_and_batches_swept(
    program: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.commands.speed.SWEEP", (4, 8))
    ways = ("--precision", "bf16,fp32", "--batch-sweep")
    told = program(*ASKED, "--methods", "mean-distance", "--data", data, *ways, "--json")
    assert told.exit_code == 0, told.output
    timings = json.loads(told.stdout)["timings"]
    computed = [(one["inference"]["slice_batch"], one["inference"]["precision"]) for one in timings]
    assert computed == [(4, "fp32"), (4, "bf16"), (8, "fp32"), (8, "bf16")]
    assert "map_difference" not in timings[0]["numbers"]
    assert timings[2]["numbers"]["map_difference"] <= 1e-4
    assert abs(timings[1]["numbers"]["dice_difference"]) <= 1
    assert timings[0]["key"] != timings[1]["key"]
    assert timings[0]["key"] == timings[2]["key"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--precision", "fp8"), "No value of --precision called 'fp8'."),
        (("--precision", ","), "--precision: got ',', expected one or more of fp32, bf16, fp16."),
        (("--methods", "mean-distence"), "No method 'mean-distence'. Did you mean 'mean-distance'?"),
        (("--run", "nowhere"), "nowhere"),
        (("--device", "gpu"), "--device: got 'gpu'"),
    ],
)
def test_slips_are_told_in_one_line(program: Program, data: Path, changes: tuple[str, str], message: str) -> None:
    options = {"--methods": "mean-distance", "--data": str(data)} | dict([changes])
    told = refused(program(*ASKED, *(word for option in options.items() for word in option)))
    assert message in told
