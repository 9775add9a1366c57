"""Trials: whether the nearest tests notice a change, each in a fork of a process that has imported the libraries."""

import contextlib
import csv
import hashlib
import importlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["killed", "survived", "no tests"]
LIBRARIES = (
    "hypothesis", "numba", "numpy", "nibabel", "pandas", "pydantic", "pytest", "safetensors", "scipy.ndimage",
    "scipy.optimize", "scipy.stats", "sklearn.metrics", "statsmodels.stats.multitest", "torch", "typer",
)  # fmt: skip
PACKAGES = ("baselines", "benchmark", "cddpm", "datasets", "reports")
FAR_AWAY = ("tests/faults", "tests/golden", "tests/perf", "tests/mutants")
"""Tests of whole runs, of speed and of this tool."""

SECONDS_OF_A_CHANGE = 15.0
"""Of processor time for the tests that one change is tried against; tests further away are not run."""
SECONDS_OF_A_SURVIVOR = 60.0
"""The same, for a change that is tried again."""
WAIT = 900.0
"""Seconds after which tests of one file are ended that wait for what will not come."""
SECONDS_OF_A_TEST = 30.0
"""Of processor time for a test that has not been timed; for others this and four times what they take."""
UNTIMED = 0.1


@dataclass(frozen=True)
class Result:
    """The test that fails under a change, or its file where that cannot be imported; "" for a survivor.

    Attributes:
        seconds: of processor time.
    """

    outcome: Outcome
    killer: str
    seconds: float


class Trials:
    """A copy of the project in which changes are tried, and how long its tests take where they pass."""

    def __init__(self, tree: Path, timings: Path) -> None:
        self.tree, self.timings, self.running = tree, timings, timings.with_suffix(".running")
        files = sorted((tree / "tests").rglob("test_*.py"))
        self.texts = {path.relative_to(tree).as_posix(): path.read_text() for path in files}
        sources = [path for package in PACKAGES for path in (tree / package).rglob("*.py")]
        self.sources = {path.relative_to(tree).as_posix(): path.read_text() for path in sources}
        sys.path[:] = [str(tree), *(path for path in sys.path if not Path(path).is_relative_to(Path(__file__).parent))]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])
        for library in LIBRARIES:
            importlib.import_module(library)

    def of(self, path: str, source: str, budget: float = SECONDS_OF_A_CHANGE) -> Result:
        """Put a changed text in a file's place and run the tests that are near it, file by file, the nearest first."""
        spent, tried = 0.0, False
        for near in self.near(path):
            while spent < budget:
                with self._changed(path, source):
                    status, seconds = self._run(near, budget - spent)
                spent += seconds
                if status in ("0", NO_TEST):
                    tried |= status == "0"
                    break
                killer = self.running.read_text()
                if self._passes_unchanged(near, killer):
                    return Result("killed", killer or near, spent)
        return Result("survived" if tried else "no tests", "", spent)

    def near(self, path: str) -> list[str]:
        """Test files, the nearest first.

        The module's own, those that import from it, those of modules that import from it, of its folder, of the folder
        above; of each kind first those that are quick and a few folders away.
        """
        own = _own_test(path)
        package, module = path.removesuffix(".py").replace("/", ".").rsplit(".", 1)
        defined = re.findall(r"^(?:def |class |)(\w+)\b(?=\(|:| =)", (self.tree / path).read_text(), re.MULTILINE)
        above, _, name = package.rpartition(".")
        listed = [
            rf"from {re.escape(of)} import (?:\([^)]*?|[^(\n]*?)\b(?:{'|'.join(these)})\b"
            for of, these in ((package, [module, *defined]), (above, [name]))
        ]
        told = re.compile("|".join([rf"\b{re.escape(package)}\.{module}\b", *listed]))
        users = {_own_test(source) for source, text in self.sources.items() if told.search(text)}

        timed = self._timed()

        def distance(file: str) -> tuple[int, float]:
            folder = Path(file).parent
            outer = own.is_relative_to(folder) and len(folder.parts) > 1
            of_users = Path(file) in users
            groups = (Path(file) == own, told.search(self.texts[file]), of_users, folder == own.parent, outer)
            known = timed.get(self._version(file), {}).values()
            seconds = sum(known) if known else UNTIMED * self.texts[file].count("def test_")
            shared = Path(os.path.commonpath([folder, own.parent]))
            apart = len(folder.parts) + len(own.parent.parts) - 2 * len(shared.parts)
            kind = next((place for place, holds in enumerate(groups) if holds), len(groups))
            return kind, (1 + apart) * (1 + seconds)

        return sorted(
            (file for file in self.texts if distance(file)[0] < 5 and not file.startswith(FAR_AWAY)), key=distance
        )

    def _passes_unchanged(self, file: str, test: str) -> bool:
        """Whether the test, or at least the file's import, passes without a change; what fails is not run again."""
        known = self._seconds(file)
        if test not in known:
            status, _ = self._run(file, inf, {test})
            known[test] = 0.0 if status == ("0" if test else NO_TEST) else inf
            if known[test] == inf:
                self._note(file, test, inf)
        return known[test] < inf

    def _seconds(self, file: str) -> dict[str, float]:
        """Of processor time that each test of this version of a file takes, as far as is known."""
        return self._timed().get(self._version(file), {})

    def _timed(self) -> dict[str, dict[str, float]]:
        """By version of a file the processor time that each of its tests takes; infinite where it fails."""
        found: dict[str, dict[str, float]] = {}
        if self.timings.exists():
            with self.timings.open() as lines:
                for version, test, seconds in csv.reader(lines):
                    found.setdefault(version, {})[test] = float(seconds)
        return found

    def _version(self, file: str) -> str:
        return f"{file} {hashlib.sha256(self.texts[file].encode()).hexdigest()[:12]}"

    def _note(self, file: str, test: str, seconds: float) -> None:
        with self.timings.open("a") as lines:
            csv.writer(lines).writerow([self._version(file), test, f"{seconds:.3f}"])

    @contextlib.contextmanager
    def _changed(self, path: str, source: str) -> Any:
        file = self.tree / path
        kept, times = file.read_bytes(), (file.stat().st_atime, file.stat().st_mtime)
        try:
            file.write_text(source)
            yield
        finally:
            file.write_bytes(kept)
            os.utime(file, times)  # so that its bytecode holds again

    def _run(self, file: str, limit: float, only: Collection[str] | None = None) -> tuple[str, float]:
        """Run a file's tests, the quickest first, until one fails or the processor time is spent.

        Returns:
            The exit status, or the signal that ended it; and the processor time that it took.
        """
        self.running.write_text("")
        known = self._seconds(file)
        watch = Watch(known, limit, only, self.running, lambda test, seconds: self._note(file, test, seconds))
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            status = 99
            try:
                os.setsid()
                with self.timings.with_suffix(".log").open("w") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                sys.dont_write_bytecode = True
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
                os.chdir(self.tree)
                status = _pytest(file, watch)
                sys.stdout.flush()
            finally:
                os._exit(status)
        started = time.monotonic()
        while not (ended := os.wait4(child, os.WNOHANG))[0]:
            if time.monotonic() - started > WAIT:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what it has started
        return str(os.waitstatus_to_exitcode(ended[1])), ended[2].ru_utime + ended[2].ru_stime


def _own_test(path: str) -> Path:
    return Path("tests", path).with_name(f"test_{Path(path).name}")


class Watch:
    """In the child: orders the tests, says which is running, limits and notes their processor time."""

    def __init__(
        self,
        known: dict[str, float],
        limit: float,
        only: Collection[str] | None,
        running: Path,
        note: Callable[[str, float], None],
    ) -> None:
        self.known, self.limit, self.only, self.running, self.note = known, limit, only, running, note

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        chosen, total = [], 0.0
        for item in sorted(items, key=lambda item: self.known.get(item.nodeid, UNTIMED)):
            total += self.known.get(item.nodeid, UNTIMED)
            if (
                total <= self.limit
                and self.known.get(item.nodeid, 0) < inf
                and item.nodeid in (self.only or {item.nodeid})
            ):
                chosen.append(item)
        items[:] = chosen

    def pytest_runtest_protocol(self, item: Any) -> None:
        self.running.write_text(item.nodeid)
        self.started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_OF_A_TEST + 4 * self.known.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed and report.nodeid not in self.known:
            self.note(report.nodeid, time.process_time() - self.started)


NO_TEST = "5"
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=0")
WARM = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")


def _pytest(file: str, watch: Watch) -> int:
    import hypothesis
    import pytest

    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    return int(pytest.main([*OPTIONS, *WARM, file], plugins=[watch]))
