"""check_detector: the contract of a Detector as an executable that a method's author runs.

In the tests of a plugin, with a budget of a few steps:

    check_detector(lambda: MyDetector(MyDetector.Config(steps=3)))
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from benchmark.methods.contract.rules import RULES, Rule
from benchmark.methods.contract.trial import NotRun, Trial, simulated_case
from benchmark.methods.detector import Detector
from benchmark.methods.hyperparameters import Choice, build, presets_of, resolve_config
from benchmark.methods.registry import UnusableMethod, load

__all__ = ["ContractError", "Outcome", "check_detector", "examine", "simulated_case"]


class ContractError(AssertionError):
    """A detector breaks its contract; the text says which rules, what was got and what was expected."""


@dataclass(frozen=True)
class Outcome:
    """One rule's verdict on one detector.

    Attributes:
        rule: the rule as a sentence.
        error: what was got and expected where it is broken, else None.
        not_run: why it could not be tried here, else None.
    """

    rule: str
    error: str | None = None
    not_run: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it is not known to be broken."""
        return self.error is None

    @property
    def verdict(self) -> Literal["OK", "BROKEN", "not run"]:
        if self.error is not None:
            return "BROKEN"
        return "OK" if self.not_run is None else "not run"


def check_detector(make: Callable[[], Detector], *, shape: tuple[int, int, int] | None = None) -> None:
    """Hold a detector to every rule of the contract, on small simulated brains.

    Args:
        make: builds the detector, unfitted, with a budget that fits within seconds.
        shape: of the volumes; None for slices of `config.size` where it has one, else 24 x 24.

    Raises:
        ContractError: a rule is broken; all broken ones are named.
    """
    broken = [outcome for outcome in examine(make, shape=shape) if not outcome.passed]
    if broken:
        raise ContractError("\n".join(f"{outcome.rule}: {outcome.error}" for outcome in broken))


def examine(make: Callable[[], Detector], *, shape: tuple[int, int, int] | None = None) -> list[Outcome]:
    """Every rule's verdict, in the order of `RULES`; a detector that fails does not stop the next rule."""
    with TemporaryDirectory() as folder:
        trial = Trial(make, shape or _shape_for(make()), Path(folder))
        return [_verdict(rule, trial) for rule in RULES]


def _verdict(rule: Rule, trial: Trial) -> Outcome:
    sentence = (rule.__doc__ or rule.__name__).strip().rstrip(".")
    try:
        return Outcome(sentence, rule(trial))
    except NotRun as reason:
        return Outcome(sentence, not_run=str(reason))
    except (Exception, SystemExit) as error:  # whatever a detector raises is its verdict under this rule
        return Outcome(sentence, f"got {type(error).__name__}: {error}")


def _shape_for(detector: Detector) -> tuple[int, int, int]:
    size = getattr(detector.config, "size", 24)
    return size, size, 7


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
        UserError: a hyper-parameter of `choice` is not as expected.
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
