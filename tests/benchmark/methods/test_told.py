"""What a plugin says of itself is asked of another process, once for each content of its code."""

import os
from pathlib import Path

import numpy as np
import pytest
from commandline import call
from studies import Runner

from benchmark.methods import registry, told
from benchmark.methods.declared import declared
from benchmark.methods.hyperparameters import parse_variant, resolve_config
from benchmark.methods.registry import UnusableMethod, methods, usable_plugin_files
from datasets.errors import BadValue, UnknownName
from datasets.io.nifti import Volume, write_volume

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
    def anomaly_map(self, images, brain_masks, *, seeds):
        exec(os.environ.get("GO_WRONG", ""))
        return images * brain_masks
    def reconstruction(self, images, brain_masks, *, seeds): return images * 0
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


@pytest.fixture
def mapped(plugin: None, data: Path, tmp_path: Path) -> tuple[Runner, Path, Path]:
    """A run of a plugin, its file, and where each process that imports it from now on writes its number."""
    path, log = write(tmp_path)
    study = Runner(data, tmp_path / "run", plugins=(path,), apart=True)
    assert study.run("bright", "volunteers", limit=1) == []
    log.write_text("")
    return study, path, log


def ball(folder: Path) -> Path:
    """A scan of a brain of 700 ml."""
    places = np.indices((32, 32, 32)) * 4.0 - 64
    brain = (places**2).sum(axis=0) < 55**2
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -64
    write_volume(folder / "ball.nii.gz", Volume(np.where(brain, 100 + places[0], 0).astype(np.float32), affine))
    return folder / "ball.nii.gz"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("show bright --plugin FILE", "power"),
        ("plugin check bright --plugin FILE", "0 BROKEN"),
        ("residuals RUN", "Healthy residuals of bright-"),
        ("predict bright SCAN --run RUN --prepared --out MAPS", "picture"),
        (
            "speed --methods bright --datasets volunteers --data DATA --preset quick --volumes 1 --plugin FILE",
            "fitted here",
        ),
    ],
)
def test_no_command_imports_a_plugin_into_its_own_process(
    mapped: tuple[Runner, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setattr("benchmark.speed.flops.SIDES", {"cpu": 64})
    monkeypatch.setattr("benchmark.speed.flops.SECONDS", 0.0)
    study, path, log = mapped
    scan = ball(tmp_path)
    places = {"FILE": path, "RUN": study.out, "DATA": study.data, "SCAN": scan, "MAPS": tmp_path / "maps"}
    done = call(*(places.get(word, word) for word in command.split()))
    assert done.exit_code == 0, done.output
    assert said in done.output
    imported = log.read_text().splitlines()
    assert imported
    assert str(os.getpid()) not in imported


@pytest.mark.parametrize(
    ("code", "command", "said"),
    [
        ("os._exit(0)", "predict bright SCAN --run RUN --prepared --out MAPS", "ended with exit code 0 and no word"),
        ("raise KeyError('size')", "predict bright SCAN --run RUN --prepared --out MAPS", "KeyError: 'size'"),
        ("os.abort()", "plugin check bright --plugin FILE", "ended with signal 6 and no word"),
        ("os.abort()", "residuals RUN", "ended with signal 6 and no word"),
    ],
)
def test_a_plugin_that_goes_wrong_in_a_command_is_told_in_a_line(
    mapped: tuple[Runner, Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    command: str,
    said: str,
) -> None:
    study, path, _ = mapped
    monkeypatch.setenv("GO_WRONG", code)
    places = {"FILE": path, "RUN": study.out, "SCAN": ball(tmp_path), "MAPS": tmp_path / "maps"}
    done = call(*(places.get(word, word) for word in command.split()))
    assert done.exit_code != 0
    assert said in done.output


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
