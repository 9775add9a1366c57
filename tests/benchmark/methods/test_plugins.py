"""A plugin is a method like all others, and one that is broken costs itself alone."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from commandline import STUDY, Program, refused
from plugincode import BROKEN_CONFIGS, BROKEN_IN_USE, DARKNESS, with_config, write_distribution, write_plugin
from studies import stamps

from benchmark.methods.registry import BUILT_IN, UnusableMethod, load, methods, refused_plugins
from datasets.registry import MOVED

pytestmark = pytest.mark.usefixtures("plugin")


def listed(program: Program, *arguments: object) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in json.loads(program("list", "methods", "--json", *arguments).stdout)}


def outcomes(run: Path) -> dict[str, str]:
    """Method -> what its cells say has become of them."""
    records = [json.loads(path.read_text()) for path in sorted(run.glob("cells/*/cell.json"))]
    return {record["cell"]["fit"]["method"]: record["status"] for record in records}


def test_a_plugin_is_listed_with_its_distribution_and_a_broken_one_as_such_only_when_asked(program: Program) -> None:
    plain, checked = listed(program), listed(program, "--check")
    assert plain["mean-distance"]["origin"] == "uadbench-tests 1.0"
    assert "origin" not in plain["ddpm"]
    assert plain["broken"]["title"] == "Small detectors"
    assert "BROKEN: Method 'broken'" in checked["broken"]["title"]
    assert "No module named 'package_that_is_not_installed'" in checked["broken"]["title"]
    sound = [one.name for one in BUILT_IN] + ["mean-distance"]
    assert all(checked[name] == plain[name] for name in sound)
    assert "plugin: uadbench-tests 1.0" in program("list", "methods").stdout


def test_an_installed_plugin_named_like_a_built_in_is_refused_with_one_line(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(write_distribution(tmp_path / "rival", "uadbench-rival", ddpm="absent:DDPM"))
    warning = "Method 'ddpm' of uadbench-rival 2.0 is refused: the name is a built-in method's."
    assert refused_plugins() == [warning]
    assert methods()["ddpm"] in BUILT_IN
    for command in (("list", "methods"), ("run", *STUDY, "--data", data, "--dry-run")):
        result = program(*command)
        assert result.exit_code == 0
        assert result.stderr.splitlines() == [f"Warning: {warning}"]


def test_of_two_plugins_of_one_name_neither_wins(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in ("one", "two"):
        target = "detectors:MeanDistance"
        monkeypatch.syspath_prepend(write_distribution(tmp_path / owner, f"uadbench-{owner}", twin=target))
    owners = "uadbench-one 2.0 (detectors:MeanDistance) and uadbench-two 2.0 (detectors:MeanDistance)"
    assert (
        listed(program)["twin"]["title"] == f"BROKEN: got it from {owners}, expected one of them: uninstall the other."
    )
    with pytest.raises(UnusableMethod, match="Method 'twin': got it from uadbench-one"):
        load(methods()["twin"])
    result = program("run", *STUDY, "--methods", "twin,mean-distance", "--data", data, "--dry-run")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"Left out: Method 'twin': got it from {owners}, expected one of them: uninstall the other."
    ]


def test_a_method_that_cannot_be_imported_is_left_out_and_the_others_run(program: Program, data: Path) -> None:
    line = ("run", *STUDY, "--methods", "broken,mean-distance,broken[size=3]", "--data", data, "--out", "run")
    for _ in range(2):
        result = program(*line)
        assert result.exit_code == 1
        (left_out,) = result.stderr.splitlines()
        assert left_out.startswith("Left out: Method 'broken' (package_that_is_not_installed:Detector, uadbench-tests")
        assert outcomes(Path("run")) == {"mean-distance": "mapped"}
    assert "Nothing to do: 2 of 2 cells done." in result.stdout


def test_what_the_caller_can_mend_is_refused_even_beside_a_broken_plugin(program: Program, data: Path) -> None:
    for wrong, message in (
        ("mean-distence", "Did you mean 'mean-distance'"),
        ("mean-distance[powr=2]", "Did you mean 'power'"),
        ("mean-distance[power=-2]", "expected more than 0"),
    ):
        line = refused(program("run", *STUDY, "--methods", f"broken,{wrong}", "--data", data, "--out", "run"))
        assert message in line
        assert not Path("run").exists()


def test_nothing_left_to_run_is_an_error(program: Program, data: Path) -> None:
    result = program("run", *STUDY, "--methods", "broken,not-a-detector", "--data", data, "--out", "run")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: Method 'broken'")
    assert "got 'mean-distance', expected a subclass of Detector" in second


def test_a_table_for_a_broken_plugin_is_no_reason_to_stop(program: Program, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tuned.toml"
    file.write_text("[broken]\nsize = 3\n")
    assert program("run", *STUDY, "--config", file, "--data", data, "--dry-run").exit_code == 0


@pytest.mark.parametrize("text", BROKEN_CONFIGS.values(), ids=BROKEN_CONFIGS)
def test_a_plugin_whose_config_fails_by_itself_is_left_out(
    program: Program, data: Path, tmp_path: Path, text: str
) -> None:
    path = write_plugin(tmp_path, with_config(text))
    line = ("run", *STUDY, "--plugin", path, "--methods", "bad,too-dark", "--data", data, "--dry-run")
    result = program(*line)
    assert result.exit_code == 1
    (left_out,) = result.stderr.splitlines()
    assert left_out.startswith(f"Left out: Method 'bad' ({path}:bad@")
    assert "has a Config or presets that cannot be used: " in left_out
    assert "too-dark" in result.stdout


def test_a_config_that_trips_over_the_callers_value_is_one_line(program: Program, data: Path, tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    line = ("run", *STUDY, "--plugin", path, "--methods", "too-dark[power=13]", "--data", data)
    assert "which its Config refuses: KeyError: 'unlucky'" in refused(program(*line))


def test_cells_of_plugins_that_break_the_contract_fail_and_the_others_are_done(
    program: Program, data: Path, tmp_path: Path
) -> None:
    path = write_plugin(tmp_path, BROKEN_IN_USE)
    names = "negative-map,short-map,quitter,unbuildable,too-dark"
    result = program("run", *STUDY, "--plugin", path, "--methods", names, "--data", data, "--out", "run")
    assert result.exit_code == 1
    assert "8 cells failed" in result.stderr
    failed = dict.fromkeys(("negative-map", "short-map", "quitter", "unbuildable"), "failed")
    assert outcomes(Path("run")) == {**failed, "too-dark": "mapped"}
    assert "Traceback" not in result.output


def test_a_file_runs_goes_on_and_starts_anew_when_its_content_changes(
    program: Program, data: Path, tmp_path: Path
) -> None:
    path = write_plugin(tmp_path)
    line = ("run", *STUDY, "--plugin", path, "--methods", "too-dark", "--data", data, "--out", "run")
    assert program(*line).exit_code == 0
    before = stamps(Path("run"), "weights.safetensors")
    assert "Nothing to do: 2 of 2 cells done." in program(*line).stdout
    path.write_text(f"{DARKNESS}\n# another end\n")
    assert program(*line).exit_code == 0
    after = stamps(Path("run"), "weights.safetensors")
    assert len(after) == 2
    assert before.items() < after.items()
    assert json.loads(Path("run/study.json").read_text())["cells"][0]["fit"]["target"].startswith(f"{path}:too-dark@")


def test_rows_and_report_of_a_file_need_the_file_no_more(program: Program, data: Path, tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    program("run", *STUDY, "--plugin", path, "--methods", "too-dark", "--data", data, "--out", "run")
    rows = Path("run/rows.csv").read_bytes()
    path.unlink()
    assert program("evaluate", "run").exit_code == 0
    assert Path("run/rows.csv").read_bytes() == rows
    assert program("report", "run", "--pictures", "").exit_code == 0


def test_a_file_stands_in_lists_and_may_be_given_twice(program: Program, tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    found = listed(program, "--plugin", path, "--plugin", f"{path.parent}/./{path.name}")["too-dark"]
    assert found["title"] == "Darker than healthy brains are on average"
    assert found["origin"] == str(path)


@pytest.mark.parametrize(
    ("name", "owner"), [("mean-distance", "uadbench-tests 1.0"), ("x", "first.py"), ("ddpm", "this package")]
)
def test_a_second_definition_of_a_name_is_one_line(program: Program, tmp_path: Path, name: str, owner: str) -> None:
    first = write_plugin(tmp_path, f"{DARKNESS}\nMETHODS = {{'x': TooDark}}\n", "first.py")
    second = write_plugin(tmp_path, f"{DARKNESS}\nMETHODS = {{'{name}': TooDark}}\n", "second.py")
    line = refused(program("list", "methods", "--plugin", first, "--plugin", second))
    assert f"{second}: got method '{name}', which " in line
    assert f"{owner} has; expected a name of its own" in line


def test_a_file_that_cannot_be_imported_is_one_line(program: Program, data: Path, tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "import absent_package")
    why = "cannot be imported: ModuleNotFoundError: No module named 'absent_package'"
    for command in (("show", "ddpm"), ("plugin", "check", "ddpm")):
        assert why in refused(program(*command, "--plugin", path))
    listed = program("list", "methods", "--plugin", path)
    assert listed.exit_code == 0
    assert why in listed.stderr


def test_a_broken_file_costs_its_own_methods_only(program: Program, data: Path, tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "class Unfinished(:")
    line = ("run", *STUDY, "--methods", "mean-distance,unfinished", "--plugin", path, "--data", data, "--dry-run")
    result = program(*line)
    assert result.exit_code == 1
    file, method = result.stderr.splitlines()
    assert file.startswith(f"Left out: --plugin {path} cannot be imported: SyntaxError")
    assert method == "Left out: Method 'unfinished': not known; perhaps it is of a file that is left out."
    assert " of 1 fit," in result.stdout


def test_a_file_that_is_not_there_is_a_slip(program: Program, data: Path, tmp_path: Path) -> None:
    line = ("run", *STUDY, "--plugin", tmp_path / "nothing.py", "--data", data)
    assert "no file that can be read" in refused(program(*line))


def test_plugins_belong_to_methods_alone(program: Program, tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    assert "expected them with methods only" in refused(program("list", "datasets", "--plugin", path))


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        ("from benchmark.detector import Detector", "benchmark.detector", "benchmark.methods"),
        ("import baselines.stages", "baselines.stages", "baselines.training.stage"),
        ("from baselines.slices import Volumes", "baselines.slices", "baselines.slices.sampling"),
    ],
)
def test_a_plugin_that_imports_a_path_of_before_is_told_the_new_one(
    program: Program, tmp_path: Path, line: str, old: str, new: str
) -> None:
    path = write_plugin(tmp_path, line)
    told = f"--plugin {path} cannot be imported: {old} has moved, import it from {new} ("
    assert told in refused(program("show", "ddpm", "--plugin", path))


def test_the_modules_that_a_plugin_is_sent_to_are_there() -> None:
    for module in MOVED.values():
        import_module(module)
    with pytest.raises(ImportError):
        import_module("benchmark.detector")
