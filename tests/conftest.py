"""What tests share: tiny cohorts on disk, and the plugin that brings them and small detectors into the catalogs."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from cohorts import TINY, write_cohorts
from implant_runs import Made, make

from benchmark.methods import registry
from datasets.cohorts.catalog import COHORTS
from datasets.grid import GRIDS

ENTRY_POINTS = """\
[uadbench.methods]
mean-distance = detectors:MeanDistance
noisy = detectors:Noisy
untrainable = detectors:Untrainable
unmappable = detectors:Unmappable
held = detectors:Held
among-others = detectors:AmongOthers
ageing = detectors:Ageing
broken = package_that_is_not_installed:Detector
absent = detectors:Absent
not-a-detector = detectors:NOT_A_DETECTOR

[uadbench.datasets]
volunteers = cohorts:VOLUNTEERS
patients = cohorts:PATIENTS
inpatients = cohorts:INPATIENTS
broken = package_that_is_not_installed:COHORT
not-a-spec = cohorts:NOT_A_SPEC

[uadbench.shifts]
halved = shift_plugins:HALVED
gamma = shift_plugins:HALVED
broken = package_that_is_not_installed:KIND
not-a-kind = shift_plugins:NOT_A_KIND
misnamed = shift_plugins:HALVED
"""


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the program remembers between its processes is the session's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UADBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Also where the tests were started in the background or under nohup, which ignore Ctrl-C and a lost terminal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _plugins_are_asked_here() -> Iterator[None]:
    """Classes of plugins are asked in this process, where a test may change them; only test_told.py asks another."""

    def told(content: str, question: Callable[..., object], *arguments: object) -> object:
        return json.loads(json.dumps(question(*arguments)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "told", told)
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohorts of `cohorts.py`, to be read only."""
    folder = tmp_path_factory.mktemp("data")
    write_cohorts(folder)
    return folder


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """The same for one test, to be damaged."""
    folder = tmp_path / "own-data"
    write_cohorts(folder)
    return folder


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed distribution, as far as Python can tell, with methods, datasets and shifts."""
    folder = tmp_path_factory.mktemp("plugin")
    metadata = folder / "uadbench_tests-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: uadbench-tests\nVersion: 1.0\nSummary: Small detectors\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def plugin(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin is installed, and the preset `quick` means the cohorts' tiny grid."""
    monkeypatch.syspath_prepend(plugin_folder)
    monkeypatch.setitem(GRIDS, "quick", TINY)


@pytest.fixture
def elsewhere(plugin_folder: Path) -> dict[str, str]:
    """The environment of another Python process in which the plugin is installed."""
    paths = [str(plugin_folder), str(Path(__file__).parent), str(Path(__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")  # not longer: meanwhile the cohort is known by name
def made_of_implants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A scored run over implants in the cohort `heads`, to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COHORTS.built_in, "heads", "heads:HEADS")
        yield make(tmp_path_factory.mktemp("implants"))


@pytest.fixture
def count_calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, str], Sequence[object]]:
    """`count_calls(cls, method)` is a list that grows with every later call of `cls.method`."""

    def spied(cls: type, name: str) -> Sequence[object]:
        calls: list[object] = []
        original = getattr(cls, name)

        def spy(self: object, *args: object, **kwargs: object) -> object:
            calls.append(self)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(cls, name, spy)
        return calls

    return spied
