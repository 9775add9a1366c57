"""`plugin check`: the contract tried on a method by its name, told rule by rule."""

from pathlib import Path

import pytest
import torch
from commandline import Program, refused
from plugincode import BROKEN_IN_USE, DARKNESS, with_config, write_plugin

from benchmark.methods.contract.check import IMPORTS
from benchmark.methods.contract.rules import RULES

pytestmark = pytest.mark.usefixtures("plugin")

CARD = """
from benchmark.methods.card import Card

TooDark.card = Card("healthy scans", "The mean intensity of healthy brains.", "Nothing.")
"""
LONG = '''

class Long(TooDark):
    """Refuses to be fitted for long."""

    @dataclass(frozen=True)
    class Config:
        steps: int = 9000
        warm_up_steps: int = 2
        epochs: int = 50
        ensemble_steps: tuple[int, ...] = (250, 500)
        power: float = 1.0

    presets = {"quick": {"power": 2.0}}

    def fit(self, train, val, *, seed, workdir):
        assert (self.config.steps, self.config.warm_up_steps, self.config.epochs, self.config.power) == WANTED
        super().fit(train, val, seed=seed, workdir=workdir)
'''


def test_a_sound_method_is_told_so_rule_by_rule(program: Program, tmp_path: Path) -> None:
    result = program("plugin", "check", "too-dark", "--plugin", write_plugin(tmp_path, DARKNESS + CARD))
    assert result.exit_code == 0, result.output
    head, first, *rules, last = result.stdout.splitlines()
    assert head.startswith("too-dark (")
    assert head.endswith("), preset quick")
    assert first.split(maxsplit=1) == ["OK", IMPORTS]
    assert len(rules) == len(RULES)
    gpu = int(not torch.cuda.is_available())
    assert last == f"{len(RULES) + 1 - gpu} OK, 0 BROKEN, {gpu} not run"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a GPU")
def test_the_rule_that_needs_a_gpu_is_not_said_to_be_kept_without_one(program: Program) -> None:
    lines = program("plugin", "check", "thresh").stdout.splitlines()
    of_one, of_two = [line for line in lines if "there is a GPU" in line]
    assert of_one.startswith("not run  Where there is a GPU, its maps")
    assert of_two.startswith("not run  Of two sequences: Where there is a GPU, its maps")
    assert of_one.endswith(": no GPU here")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("negative-map", "finite and nonnegative: got a smallest value of -2.0, expected 0 or more"),
        ("short-map", "got torch.float32 (3, 1, 24, 24, 6), expected torch.float32 (3, 1, 24, 24, 7)"),
        ("unbuildable", "got RuntimeError: no such network"),
    ],
)
def test_a_broken_rule_says_what_was_got_and_wanted(program: Program, tmp_path: Path, name: str, verdict: str) -> None:
    result = program("plugin", "check", name, "--plugin", write_plugin(tmp_path, BROKEN_IN_USE + CARD))
    assert result.exit_code == 1
    assert any(line.startswith("BROKEN   ") and verdict in line for line in result.stdout.splitlines()), result.stdout


def test_a_method_that_cannot_be_imported_or_has_a_broken_config_breaks_the_first_rule(
    program: Program, tmp_path: Path
) -> None:
    path = write_plugin(tmp_path, with_config("presets = {'quick': {'sizes': 3}}"))
    for arguments, reason in (
        (("broken",), "package_that_is_not_installed"),
        (("bad", "--plugin", path), "hyper-parameter of method 'bad' called 'sizes'"),
    ):
        result = program("plugin", "check", *arguments)
        assert result.exit_code == 1
        _, line, summary = result.stdout.splitlines()
        assert line.startswith(f"BROKEN   {IMPORTS}: ")
        assert reason in line
        assert summary == "0 OK, 1 BROKEN, 0 not run"


@pytest.mark.parametrize(
    ("choice", "expected", "said"),
    [
        ("long", (3, 2, 1, 2.0), "with steps=3, epochs=1"),
        ("long[steps=7,epochs=4]", (7, 2, 4, 2.0), "preset quick"),
        ("long[power=3]", (3, 2, 1, 3.0), "with steps=3, epochs=1"),
    ],
)
def test_budgets_are_cut_down_unless_given(
    program: Program, tmp_path: Path, choice: str, expected: tuple[float, ...], said: str
) -> None:
    path = write_plugin(tmp_path, f"{DARKNESS}{LONG}{CARD}\nWANTED = {expected}\n")
    result = program("plugin", "check", choice, "--plugin", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].endswith(said)


def test_misspelt_methods_and_hyper_parameters_are_refused(program: Program) -> None:
    assert "Did you mean 'thresh'?" in refused(program("plugin", "check", "tresh"))
    assert "Did you mean 'sign'?" in refused(program("plugin", "check", "thresh[sing=dark]"))
    assert "Got 2 methods in 'thresh,zscore', expected one" in refused(program("plugin", "check", "thresh,zscore"))
