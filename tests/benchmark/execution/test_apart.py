"""Plugins that go wrong in processes of their own: each costs its own cells, which name it, and no neighbour's rows."""

import os
import signal
import time
from pathlib import Path

import pytest
from studies import Runner

from benchmark.execution import worker
from benchmark.methods import apart
from benchmark.methods.apart import Apart, Ended
from benchmark.storage.run_record import Scoring, kept_cells

LITTLE = Scoring(("none",), ("lesion-val",), ("dice", "auprc", "alarm"))
HEAD = """
import os, signal, sys, time, warnings, logging, json
from pathlib import Path
import numpy as np
import torch
from benchmark.methods.detector import Detector

class Sound(Detector):
    presets = {"quick": {}}
    def fit(self, train, val, *, seed, workdir):
        self.register_buffer("mean", torch.from_numpy(train[0].image.copy()))
    def anomaly_map(self, images, brain_masks, *, seeds):
        self.go_wrong(images)
        return self.change((images - self.mean).abs() * brain_masks)
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("mean", torch.empty(0))
    def go_wrong(self, images): pass
    def change(self, maps): return maps
"""
# What goes wrong while a case is mapped, and what is then said of the cell; "" where its rows are as a sound one's.
WRONG = {
    "exits": ("os._exit(0)", "ended with exit code 0 and no word"),
    "aborts": ("os.abort()", "ended with signal 6"),
    "raises-exit": ("sys.exit(0)", "SystemExit"),
    "forks": ("os.fork()", ""),
    "leaves-a-child": ("os.fork() or time.sleep(600)", ""),
    "eats": ("held = b'x' * (1200 * 2**20)\ntime.sleep(5)", "GiB of memory; it was killed"),
    "prints": ("print('\\n'.join(['{\"answer\": 1}'] * 9), flush=True)", ""),
    "rewrites": (
        "next(p for p in Path(os.environ['RUN']).glob('study.json')).write_text('{}')",
        "It changed study.json, which was restored",
    ),
    "lies": (
        "import benchmark.execution.worker as w\nw.record_maps = lambda *a: None\nw.record_failure = lambda *a: None",
        "said that it was done, and has left nothing",
    ),
    "patches": (
        "import benchmark.metrics.overlap as o, benchmark.scoring.decision_pass as d, nibabel\n"
        "for m in (o, d):\n    for name in dir(m):\n        if callable(getattr(m, name)): setattr(m, name, None)\n"
        "nibabel.load = None",
        "",
    ),
    "sets-states": (
        "np.seterr(all='raise')\nwarnings.simplefilter('error')\ntorch.set_default_dtype(torch.float64)\n"
        "torch.set_num_threads(1)\ntorch.manual_seed(1)\nnp.random.seed(1)\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nlogging.disable()\nos.environ.clear()\nos.chdir('/')",
        "",
    ),
    "mutates": ("images.fill_(0.5)\nself.mean.zero_()", ""),
    "talks": (
        "for handler in logging.getLogger().handlers: handler.pipe.send_bytes(b'[1]')",
        "no answer; it was killed",
    ),
}
RETURNED = {
    "complex": ("maps + 1j", "predict"),
    "nan": ("maps * float('nan')", "predict"),
    "negative": ("maps - 1", "predict"),
    "elsewhere": ("maps.to('meta')", "predict"),
    "view": ("maps.flip(2).flip(2).transpose(2, 3).transpose(2, 3)", ""),
    "doubled": ("maps.double()", ""),
}


def indented(code: str) -> str:
    return "".join(f"\n        {line}" for line in code.splitlines())


@pytest.fixture
def plugin_file(tmp_path: Path) -> Path:
    classes = [f"class W{i}(Sound):\n    def go_wrong(self, images):{indented(code)}\n" for i, (code, _) in
               enumerate(WRONG.values())]  # fmt: skip
    classes += [f"class R{i}(Sound):\n    def change(self, maps): return {code}\n" for i, (code, _) in
                enumerate(RETURNED.values())]  # fmt: skip
    names = {name: f"W{i}" for i, name in enumerate(WRONG)} | {name: f"R{i}" for i, name in enumerate(RETURNED)}
    listed = ", ".join(f"{name!r}: {cls}" for name, cls in {**names, "sound": "Sound"}.items())
    path = tmp_path / "hostile.py"
    path.write_text(f"{HEAD}\n" + "\n".join(classes) + f"\nMETHODS = {{{listed}}}\n")
    return path


def rows_without_name(study: Runner, method: str) -> list[tuple[str, ...]]:
    """Of a method, without what names it or its cell."""
    apart_from = ("method", "key")
    return [tuple(v for k, v in row.items() if k not in apart_from) for row in study.rows() if row["method"] == method]


@pytest.mark.timeout(900)
def test_each_costs_its_own_cells_and_names_itself_and_the_neighbours_rows_are_the_same_bits(
    plugin: None, data: Path, tmp_path: Path, plugin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN", str(tmp_path / "run"))
    monkeypatch.setattr(apart, "_memory_of_machine", lambda: int(1.3 * 2**30))
    alone = Runner(data, tmp_path / "alone", LITTLE, plugins=(plugin_file,), apart=True)
    assert alone.run("sound,thresh", "volunteers", limit=1) == []
    study = Runner(data, tmp_path / "run", LITTLE, plugins=(plugin_file,), apart=True)
    study.run(",".join(["thresh", *WRONG, *RETURNED, "sound"]), "volunteers", limit=1)
    for name in ("sound", "thresh"):
        assert rows_without_name(study, name) == rows_without_name(alone, name) != []
    expected = {name: said for name, (_, said) in {**WRONG, **RETURNED}.items()}
    for cell in kept_cells(study.folder):
        record, said = study.record(cell), expected.get(cell.fit.method, "")
        assert record["status"] == ("failed" if said else "mapped"), (cell.fit.method, record)
        assert not said or said == record["stage"] or said in record["traceback"]
        if not said and cell.fit.method not in ("thresh", "doubled", "mutates"):
            assert rows_without_name(study, cell.fit.method) == rows_without_name(alone, "sound"), cell.fit.method


def test_a_map_that_never_ends_is_ended_and_a_fit_may_take_as_long_as_it_likes(
    plugin: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "endless.py"
    path.write_text(
        HEAD + "class Endless(Sound):\n    def fit(self, *given, **more):\n        time.sleep(1)\n"
        "        super().fit(*given, **more)\n    def go_wrong(self, images):\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        while True: pass\n"
        "METHODS = {'endless': Endless}\n"
    )
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.5)
    study = Runner(data, tmp_path / "run", plugins=(path,), apart=True)
    (failed,) = study.run("endless", "volunteers", limit=1)
    assert study.record(failed)["stage"] == "predict"
    assert "Nothing was heard of its process for" in study.record(failed)["traceback"]


class Counter:
    """For the tests below: in its own process, it counts and goes wrong when asked to."""

    def __init__(self) -> None:
        self.count = 0

    def more(self) -> int:
        self.count += 1
        return self.count

    def pid_of_a_child(self) -> int:
        child = os.fork()
        if child == 0:
            time.sleep(600)
        return child


def test_it_remembers_and_takes_its_children_with_it() -> None:
    counter = Apart(Counter)
    assert [counter.ask("more"), counter.ask("more")] == [1, 2]
    child = counter.ask("pid_of_a_child")
    os.kill(child, 0)
    counter.close()
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or " Z " in state.read_text()
    with pytest.raises(Ended):
        counter.ask("more")


def test_a_process_that_was_killed_is_named_by_its_signal() -> None:
    counter = Apart(Counter)
    pid = counter._process.pid
    assert pid is not None
    assert counter.ask("more") == 1
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Ended, match="signal 9"):
        counter.ask("more")
