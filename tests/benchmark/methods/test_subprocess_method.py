"""A method in a second virtual environment is fitted, mapped, scored and timed like all others."""

import gc
import json
import shutil
import subprocess
import venv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commandline import STUDY, Program, refused
from studies import Runner, read_table

from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.hyperparameters import parse_variants
from benchmark.methods.registry import Method, in_file, load, methods
from benchmark.methods.subprocess_method import subprocess_method
from benchmark.methods.weights import load_weights, save_weights
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.errors import BadValue

EXAMPLE = Path(__file__).parents[3] / "examples" / "subprocess-method"


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    for package in ("numpy", "torch"):
        missing = subprocess.run([python, "-I", "-c", f"import {package}"], capture_output=True, check=False)
        assert b"ModuleNotFoundError" in missing.stderr
    return python


@pytest.fixture
def recipe(interpreter: Path, tmp_path: Path) -> Path:
    """The example, in that environment."""
    folder = tmp_path / "method"
    shutil.copytree(EXAMPLE, folder)
    path = folder / "method.toml"
    path.write_text(path.read_text().replace('"python3"', f'"{interpreter}"'))
    return path


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_it_fulfils_the_contract_of_every_detector(recipe: Path) -> None:
    cls = subprocess_method(recipe)
    check_detector(lambda: cls(cls.Config()))


def test_its_maps_are_those_that_the_formula_gives_in_a_run_named_from_the_current_folder(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cls = subprocess_method(recipe)
    cases = [simulated_case(index, (10, 9, 8)) for index in range(3)]
    detector = cls(cls.Config(power=2.0))
    detector.fit(cases[:2], cases[2:], seed=0, workdir=Path())
    inside = np.concatenate([case.image[0][case.brain_mask] for case in cases[:2]])
    expected = np.where(cases[2].brain_mask, (cases[2].image[0] - inside.mean(dtype=np.float64)) ** 2, 0)
    image, mask = torch.from_numpy(cases[2].image)[None], torch.from_numpy(cases[2].brain_mask)[None, None]
    found = detector.eval().anomaly_map(image, mask, seeds=torch.tensor([1]))
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)
    assert not list(tmp_path.glob(".exchange-*"))
    save_weights(detector, tmp_path)
    restored = cls(cls.Config(power=2.0))
    load_weights(restored, tmp_path)
    assert torch.equal(restored.anomaly_map(image, mask, seeds=torch.tensor([1])), found)


def test_it_stands_in_the_table_beside_the_others(
    plugin: None, program: Program, recipe: Path, data: Path, tmp_path: Path
) -> None:
    options = ["--data", data, "--out", tmp_path / "run", "--plugin", recipe]
    study = [one if one != "mean-distance" else "mean-distance,local-contrast[power=2]" for one in STUDY]
    assert program("run", *study, *options).exit_code == 0
    rows = read_table(tmp_path / "run" / "rows.csv")
    counts = {
        method: sum((row["method"], row["metric"]) == (method, "dice") for row in rows)
        for method in ("mean-distance", "local-contrast[power=2]")
    }
    assert len(set(counts.values())) == 1, counts
    assert 0 not in counts.values()
    timing = read_table(tmp_path / "run" / "timing.csv")
    seconds = [
        float(row["value"])
        for row in timing
        if (row["method"], row["metric"]) == ("local-contrast[power=2]", "seconds")
    ]
    assert len(seconds) == 11
    assert all(0 < value < 10 for value in seconds)
    assert "Nothing to do" in program("run", *study, *options).stdout


def key(recipe: Path, data: Path) -> str:
    request = Request("local-contrast", "patients", data, preset="quick", plugins=(recipe,))
    return plan(request).fits[0].key


@pytest.mark.usefixtures("plugin")
def test_whatever_it_depends_on_is_in_the_key(recipe: Path, data: Path) -> None:
    keys = [key(recipe, data)]
    change(recipe, 'tuned_on = "Nothing."', 'tuned_on = "Much."')
    keys.append(key(recipe, data))
    change(recipe.with_name("method.py"), "abs(value - mean)", "abs(mean - value)")
    keys.append(key(recipe, data))
    change(recipe.with_name("method.py"), "local-contrast 1.0", "local-contrast 1.1")
    keys.append(key(recipe, data))
    change(recipe, "seconds = 600", 'seconds = 600\nfiles = ["table.bin"]')
    recipe.with_name("table.bin").write_bytes(b"1")
    keys.append(key(recipe, data))
    recipe.with_name("table.bin").write_bytes(b"2")
    keys.append(key(recipe, data))
    assert len(set(keys)) == 6
    assert key(recipe, data) == keys[-1]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("seconds = 600", "hours = 6", "hours: got 6"),
        ('name = "local-contrast"', "", "name: got"),
        ("power = 1.0", "power = ", "not TOML"),
        ('"method.py"]', '"gone.py"]', "version: got exit code 2"),
        ("seconds = 600", 'files = ["gone.bin"]', "gone.bin, which it names"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    program: Program, recipe: Path, before: str, after: str, text: str
) -> None:
    change(recipe, before, after)
    line = refused(program("plugin", "check", "local-contrast", "--plugin", recipe))
    assert text in line
    assert str(recipe) in line


def test_a_field_that_it_does_not_have_is_refused(recipe: Path) -> None:
    from benchmark.methods.hyperparameters import resolve_config

    variant = parse_variants("local-contrast[power=two]", methods([recipe]))[0]
    with pytest.raises(BadValue, match="local-contrast"):
        resolve_config(variant, "quick", {})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("sys.exit(3)", "ended with 3 before it said 'done'"),
        ("raise KeyError('lost')", "KeyError: 'lost'"),
        ("__import__('time').sleep(60)", "took longer than 1 s"),
        ("(folder / case['map']).write_bytes(b'no array')", "no array that can be read"),
        ("pass", "no array that can be read"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_program_that_goes_wrong_costs_its_own_cells(
    recipe: Path, data: Path, tmp_path: Path, body: str, text: str
) -> None:
    change(recipe, "seconds = 600", "seconds = 1")
    change(recipe.with_name("method.py"), 'write_npy(folder / case["map"], shape, array("f", values))', body)
    study = Runner(data, tmp_path / "run")
    known = replace(study, plugins=(recipe,))
    failed = known.run(methods="mean-distance,local-contrast")
    assert {cell.fit.method for cell in failed} == {"local-contrast"}
    record = json.loads((study.folder.cell(failed[0]) / "cell.json").read_text())
    assert record["stage"] == "predict"
    assert text in record["traceback"]


def test_it_can_be_registered_by_a_distribution(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe.with_name("their_package.py").write_text(
        "from pathlib import Path\nfrom benchmark.methods.subprocess_method import subprocess_method\n"
        'METHOD = subprocess_method(Path(__file__).with_name("method.toml"))\n'
    )
    monkeypatch.syspath_prepend(recipe.parent)
    method = Method("theirs", "their_package:METHOD", "", "a distribution 1.0")
    assert load(method) is subprocess_method(recipe)
    assert in_file(recipe)[0].name == "local-contrast"


def test_the_program_ends_with_its_detector(recipe: Path, tmp_path: Path) -> None:
    cls = subprocess_method(recipe)
    detector = cls(cls.Config())
    cases = [simulated_case(index, (6, 6, 6)) for index in range(2)]
    detector.fit(cases[:1], cases[1:], seed=0, workdir=tmp_path)
    process = detector.eval()._program.process  # type: ignore[union-attr]
    assert process.poll() is None
    del detector
    gc.collect()  # whatever an earlier test has left in a circle
    assert process.poll() is not None


def test_our_modules_are_not_in_its_path(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "struct.py").write_text("raise SystemExit('a module of ours')")
    monkeypatch.setenv("PYTHONPATH", str(ours))
    assert in_file(recipe)[0].name == "local-contrast"
