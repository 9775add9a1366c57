"""Bars of progress: on a terminal with the time that is left, in a pipe not a byte; counts agree with their nouns."""

import ast
import os
import pty
import re
import sys
import termios
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from baselines.simple.moments import brains
from baselines.slices.sampling import hold_volumes
from baselines.training.log import StepBar
from benchmark.methods.contract.trial import simulated_case
from datasets.progress import watched
from datasets.words import count_text

CPU = torch.device("cpu")
CASES = [simulated_case(index, (16, 16, 6)) for index in range(3)]


def train() -> None:
    bar = StepBar(SimpleNamespace(name="train", steps=1000), 0)  # type: ignore[arg-type]
    for step in (250, 500):
        bar.show(step, {"loss": 0.5}, data=0.1)
    bar.close()


WORK: dict[str, Callable[[], object]] = {
    "train:  50%": train,
    "mapping": lambda: list(watched(range(3), "mapping")),
    "loading training cases": lambda: hold_volumes(CASES, "training", CPU),
    "loading cases": lambda: list(brains(CASES, CPU)),
}


@pytest.mark.parametrize("told", WORK)
def test_a_terminal_is_told_how_far_it_is_and_a_pipe_nothing(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    shown = []
    for opened in (pty.openpty, os.pipe):
        read, write = opened()
        if opened is pty.openpty:
            termios.tcsetwinsize(read, (24, 100))
        with os.fdopen(write, "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            WORK[told]()
            monkeypatch.undo()
            stream.flush()
            os.set_blocking(read, False)
            shown.append(_held(read))
        os.close(read)
    assert told in shown[0]
    assert "<" in shown[0]  # tqdm's [time passed<time left]
    assert shown[1] == ""


def _held(descriptor: int) -> str:
    try:
        return os.read(descriptor, 65536).decode()
    except BlockingIOError:
        return ""


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "case", "0 cases"), (1, "case", "1 case"), (2, "entry", "2 entries"), (1, "entry", "1 entry")],
)
def test_a_count_agrees_with_its_noun(number: int, noun: str, text: str) -> None:
    assert count_text(number, noun) == text


def test_a_count_and_its_noun_are_written_by_count_text() -> None:
    """Never as a bare number before a plural: `1 scans`."""
    root = Path(__file__).parents[2]
    wrong = [
        f"{path.relative_to(root)}:{text.lineno}: {ast.unparse(number.value)}{words.value[:30]}"
        for package in ("baselines", "benchmark", "cddpm", "datasets", "reports")
        for path in sorted((root / package).rglob("*.py"))
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for number, words in pairwise(text.values)
        if isinstance(number, ast.FormattedValue) and isinstance(number.value, ast.Call)
        if getattr(number.value.func, "id", "") in ("len", "sum", "int")
        if isinstance(words, ast.Constant) and re.match(r" (?!(as|is|has)\b)([a-z-]+ )?[a-z]+s\b", str(words.value))
    ]
    assert wrong == []
