"""What a plugin says of itself is asked of another process, once for each content of its code."""

import os
from pathlib import Path

import pytest
from studies import Runner

from benchmark.methods import registry, told
from benchmark.methods.declared import declared
from benchmark.methods.hyperparameters import parse_variant, resolve_config
from benchmark.methods.registry import UnusableMethod, methods, usable_plugin_files
from datasets.errors import BadValue, UnknownName

SOUND = """
import os
from dataclasses import dataclass
from pathlib import Path
from benchmark.methods import Card, Detector, at_test
{at_import}
with Path({log!r}).open("a") as stream:
    stream.write(f"{{os.getpid()}}\\n")

class Bright(Detector):
    \"\"\"Brightness. Of each voxel.\"\"\"
    @dataclass(frozen=True)
    class Config:
        power: float = at_test(1.5)
        names: tuple[str, ...] = ("a", "b")
        def __post_init__(self):
            if self.power <= 0:
                raise ValueError(f"Got power {{self.power}}, expected more than 0.")
    card = Card("none", "nothing", "nothing", covariates=("age",))
    presets = {{"quick": {{"power": 2.0}}}}
    needs_training = False
    revision = 4
    def fit(self, train, val, *, seed, workdir): pass
    def anomaly_map(self, images, brain_masks, *, seeds): return images * brain_masks
"""


@pytest.fixture(autouse=True)
def asked_as_the_program_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "told", told.told)
    monkeypatch.setattr(told, "_ANSWERS", {})
    monkeypatch.setenv("UADBENCH_CACHE", str(tmp_path / "cache"))


def write(tmp_path: Path, at_import: str = "") -> tuple[Path, Path]:
    """A plugin's file, and where each process that imports it writes its number."""
    path, log = tmp_path / "bright.py", tmp_path / "imports.txt"
    path.write_text(SOUND.format(at_import=at_import, log=str(log)))
    return path, log


def test_a_study_imports_a_plugin_in_other_processes_alone_and_asks_no_question_twice(
    plugin: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, log = write(
        tmp_path, "import numpy; numpy.seterr(all='raise'); import benchmark.metrics as m; m.METRICS = {}"
    )
    study = Runner(data, tmp_path / "run", plugins=(path,), apart=True)
    assert study.run("bright", "volunteers", limit=1) == []
    asked = log.read_text().splitlines()
    assert str(os.getpid()) not in asked
    assert 0 < len(asked) <= 4  # names, what it declares, its hyper-parameters, its maps
    monkeypatch.setattr(told, "_ANSWERS", {})
    assert study.run("bright", "volunteers", limit=1) == []
    assert log.read_text().splitlines() == asked
    path.write_text(path.read_text() + "\n# changed")
    declared(methods([path])["bright"])
    assert len(log.read_text().splitlines()) == len(asked) + 2


def test_what_is_told_is_what_the_class_says(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    known = methods([path])
    assert known["bright"].title == "Brightness. Of each voxel"
    said = declared(known["bright"])
    assert (said.revision, said.needs_training, said.at_test, said.covariates) == (4, False, ("power",), ("age",))
    assert said.presets == {"paper": (), "quick": ("power",)}
    variant = parse_variant('bright[names=["c"]]', known)
    assert resolve_config(variant, "quick", {}) == {"power": 2.0, "names": ["c"]}


def test_mistakes_are_told_as_if_they_were_made_here(tmp_path: Path) -> None:
    known = methods([write(tmp_path)[0]])
    with pytest.raises(BadValue, match=r"Got power -1\.0, expected more than 0"):
        resolve_config(parse_variant("bright[power=-1.0]", known), "quick", {})
    with pytest.raises(UnknownName, match=r"called 'powr'\. Did you mean 'power'"):
        resolve_config(parse_variant("bright[powr=1]", known), "quick", {})


@pytest.mark.parametrize("code", ["os._exit(0)", "os.abort()", "raise SystemExit", "import nowhere"])
def test_a_plugin_that_ends_its_process_is_named(tmp_path: Path, code: str) -> None:
    path, _ = write(tmp_path, code)
    usable, troubles = usable_plugin_files([path])
    assert usable == []
    assert troubles[0].startswith(f"--plugin {path} cannot be imported: ")


def test_a_method_whose_config_ends_the_process_is_unusable(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    path.write_text(
        path.read_text().replace("if self.power <= 0:", "if self.power == 3: os._exit(0)\n            if 0:")
    )
    known = methods([path])
    with pytest.raises(UnusableMethod, match="ended with exit code 0 and no word"):
        resolve_config(parse_variant("bright[power=3]", known), "quick", {})
