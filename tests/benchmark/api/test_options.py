"""What a file, the command line and Python say of a run is the same, and can be repeated."""

import json
from pathlib import Path

import pytest
from commandline import call
from studies import read_table

import uadbench
from benchmark.api.options import options_of, options_of_run, read_options
from datasets.errors import BadFile, BadValue, MissingData, UnknownName

STUDY = """
[run]
methods = ["mean-distance", "noisy"]
datasets = "patients"
preset = "quick"
seeds = 1

[noisy]
scale = 0.5
"""


def test_what_is_given_wins_over_the_file_and_the_file_over_an_earlier_run(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    earlier = {"preset": "paper", "limit": 3, "hyperparameters": {"noisy": {"scale": 9}}}
    found = options_of({"seeds": "2", "out": tmp_path}, read_options(file), earlier)
    assert (found.methods, found.datasets) == ("mean-distance,noisy", "patients")
    assert (found.seeds, found.preset, found.limit) == ("2", "quick", 3)
    assert found.hyperparameters == {"noisy": {"scale": 0.5}}


def test_options_that_differ_from_the_default_are_repeatable() -> None:
    given = {"methods": "a", "datasets": "b", "pictures": "", "seeds": "0-2", "plugins": [Path("/x.py")], "limit": 2}
    options = options_of({**given, "rerun": "all", "dry_run": True, "out": Path("elsewhere")})
    kept = json.loads(json.dumps(options.repeatable))
    assert kept.keys() == {*given, "data"}
    assert options_of(kept).request == options_of({**given, "data": kept["data"]}).request
    assert options_of(kept).pictures == "", "that nothing may be shown was forgotten"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"method": "a"}, UnknownName, "No option of a run called 'method'. Did you mean 'methods'"),
        ({"methods": "a"}, BadValue, "--datasets: got none"),
        ({"methods": "a", "datasets": "b", "limit": "many"}, BadValue, "limit: got 'many'"),
        ({"methods": "a", "datasets": "b", "precision": "fp8"}, UnknownName, "bf16, fp16, fp32"),
        ({"methods": "a", "datasets": "b", "devices": 2, "plugins": ["x.py"]}, BadValue, "--devices 2: got --plugin"),
    ],
)
def test_mistakes_are_named_before_anything_is_read(
    given: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as raised:
        options_of(given)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"thresh = 2", r"got thresh = 2, expected a table \[thresh\]"), (b"[run", "not TOML"), (b"\xff\xfe", "not TOML")],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "study.toml"
    for absent in (file, tmp_path):
        with pytest.raises(MissingData, match=f"--config {absent}: no file that can be read"):
            read_options(absent)
    file.write_bytes(content)
    with pytest.raises(BadFile, match=said):
        read_options(file)


def test_a_run_from_a_file_from_python_and_like_another_are_one(plugin: None, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(STUDY.partition("[noisy]")[0].replace(', "noisy"', ""))
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    said = call("run", "--config", file, "--data", data, "--out", first, "--protocols", "lesion-val")
    assert said.exit_code == 0, said.output
    run = uadbench.run(
        ["mean-distance"], "patients", preset="quick", seeds=1, protocols="lesion-val", data=data, out=second
    )
    assert run.failed == []
    assert options_of_run(first)[0] == options_of_run(second)[0]
    assert call("run", "--like", first, "--out", third).exit_code == 0
    rows = [read_table(folder / "rows.csv") for folder in (first, second, third)]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]


def test_python_does_not_print(plugin: None, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uadbench.run("mean-distance", "patients", preset="quick", data=data, out=tmp_path / "run")
    done = uadbench.evaluate(tmp_path / "run", protocols="oracle")
    assert "oracle" in set(done.run.rows["protocol"])
    assert capsys.readouterr().out == ""
