"""Methods of a file: their names, what identifies them, and what is said of files that hold none."""

from pathlib import Path

import pytest
from plugincode import DARKNESS, write_plugin

from benchmark.methods.plugin_file import detectors, kebab, target_of
from benchmark.methods.registry import Method, UnusableMethod, in_file, load
from datasets.errors import BadValue

TWO = f"""{DARKNESS}
from baselines.simple.zscore import ZScore


class _Hidden(TooDark):
    pass


class VeryDark(TooDark):
    pass
"""


@pytest.mark.parametrize(
    ("name", "written"),
    [("AE", "ae"), ("ZScore", "z-score"), ("LocalZScore", "local-z-score"), ("DDPMPlus", "ddpm-plus"),
     ("UNet2D", "u-net2-d"), ("_Old_Style", "old-style")],
)  # fmt: skip
def test_a_class_is_named_in_kebab_case(name: str, written: str) -> None:
    assert kebab(name) == written


def test_detectors_that_a_file_defines_are_methods_and_those_it_imports_or_hides_are_not(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, TWO)
    first, second = in_file(path)
    assert (first.name, first.title, first.origin) == (
        "too-dark",
        "Darker than healthy brains are on average",
        str(path),
    )
    assert (second.name, second.title) == ("very-dark", "VeryDark of darkness.py")


def test_a_file_may_name_its_methods_itself_even_imported_ones(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, f"{TWO}\nMETHODS = {{'dark.v2': TooDark, 'z': ZScore}}\n")
    assert list(detectors(path)) == ["dark.v2", "z"]
    assert load(in_file(path)[1]).__module__ == "baselines.simple.zscore"


def test_a_target_leads_to_the_same_class_and_changes_with_the_content_alone(tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    target = target_of(path, "too-dark")
    assert load(Method("too-dark", target, "")) is detectors(path)["too-dark"]
    assert target.startswith(f"{path}:too-dark@")
    path.touch()
    assert target_of(path, "too-dark") == target
    path.write_text(f"{DARKNESS}# another end\n")
    assert target_of(path, "too-dark") != target


def test_a_file_that_has_changed_since_it_was_named_is_refused(tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    (method,) = in_file(path)
    path.write_text(f"{DARKNESS}# another end\n")
    with pytest.raises(UnusableMethod, match="the file has changed since"):
        load(method)
    path.unlink()
    with pytest.raises(UnusableMethod, match="no file that can be read"):
        load(method)


def test_a_target_changes_with_a_local_module_that_the_file_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    helper = tmp_path / "uadbench_test_helper.py"
    helper.write_text("LEVEL = 1\n")
    path = write_plugin(tmp_path, f"{DARKNESS}\nfrom uadbench_test_helper import LEVEL\n")
    (method,) = in_file(path)
    helper.write_text("LEVEL = 2\n")
    assert target_of(path, "too-dark") != method.target
    with pytest.raises(UnusableMethod, match="has changed since, or a local module that it imports"):
        load(method)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, f"{DARKNESS}\nLEVEL = 1\n")
    detectors(path)
    path.write_text(f"{DARKNESS}\nMETHODS = {{'b': TooDark}}\n")
    assert list(detectors(path)) == ["b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "got none, expected a complete subclass of Detector defined there"),
        ("from baselines.simple.zscore import ZScore", "got none, expected"),
        ("import absent_package", "cannot be imported: ModuleNotFoundError: No module named 'absent_package'"),
        ("class A(:", "cannot be imported: SyntaxError"),
        ("raise ValueError('two\\nlines')", "cannot be imported: ValueError: two lines"),
        ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("METHODS = {}", r"got METHODS with \{\}, expected names of subclasses of Detector"),
        ("METHODS = ['a']", r"got METHODS with \['a'\]"),
        ("METHODS = {'a': int}", "got METHODS with 'a': <class 'int'>"),
        (f"{DARKNESS}\nMETHODS = {{'too dark': TooDark}}", "got METHODS with 'too dark'"),
        (
            "from benchmark.methods.detector import Detector\nclass Half(Detector):\n    def fit(self): ...",
            "got Half without anomaly_map, expected a complete subclass",
        ),
    ],
)
def test_a_file_without_a_method_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadValue, match=reason) as caught:
        in_file(write_plugin(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"absent\.py: no file that can be read"):
        in_file(tmp_path / "absent.py")
