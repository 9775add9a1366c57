"""The contract tried on a method by its name, with a budget of seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmark.methods.contract.check import Outcome, examine
from benchmark.methods.hyperparameters import build, presets_of, resolve_config
from benchmark.methods.registry import UnusableMethod, load
from benchmark.methods.variant_syntax import Choice

# Whole numbers that say how long a fit lasts, by the end of their names, and what the contract is tried with.
BUDGETS = {"steps": 3, "epochs": 1}
IMPORTS = "The class can be imported and every preset makes a config"
DEPTH = 7  # slices of a simulated brain


@dataclass(frozen=True)
class Checkup:
    """Every rule's verdict on a method.

    Attributes:
        settings: the preset and hyper-parameters that it was tried with.
    """

    settings: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    def lines(self) -> Iterator[str]:
        """As text: the settings, a line a rule, a summary."""
        yield self.settings
        for outcome in self.outcomes:
            note = outcome.error or outcome.not_run
            yield f"{outcome.verdict:<9}{outcome.rule}" + (f": {' '.join(note.split())}" if note else "")
        counted = [outcome.verdict for outcome in self.outcomes]
        yield ", ".join(f"{counted.count(verdict)} {verdict}" for verdict in ("OK", "BROKEN", "not run"))


def check_up(choice: Choice) -> Checkup:
    """Hold a method to its contract under its preset `quick`, or `paper` where it has no other.

    Its `...steps` and `...epochs` are cut down to a few, unless `choice` gives them.

    Raises:
        UserError: a hyper-parameter of `choice` is not as wanted.
    """
    try:
        preset = "quick" if "quick" in presets_of(load(choice.method)) else "paper"
        config = resolve_config(choice, preset, {})
    except UnusableMethod as error:
        return Checkup(choice.name, (Outcome(IMPORTS, str(error)),))
    short = _shortened(config, choice.overrides)
    config = resolve_config(Choice(choice.method, {**choice.overrides, **short}), preset, {})
    shape = (config.get("size", 24),) * 2 + (DEPTH,)
    make = partial(build, choice.name, choice.method.target, config)
    return Checkup(_settings(choice, preset, short), (Outcome(IMPORTS), *examine(make, shape=shape)))


def _shortened(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int]:
    """The fields that make a fit long, cut down."""
    return {
        name: few
        for name, value in config.items()
        for ending, few in BUDGETS.items()
        if name not in given and name.split("_")[-1] == ending and isinstance(value, int) and value > few
    }


def _settings(choice: Choice, preset: str, short: Mapping[str, int]) -> str:
    cut = ", ".join(f"{name}={value}" for name, value in short.items())
    return f"{choice.name} ({choice.method.place}), preset {preset}" + (f" with {cut}" if cut else "")
