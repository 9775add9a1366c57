"""check_detector: the contract of a Detector as an executable that a method's author runs.

In the tests of a plugin, with a budget of a few steps:

    check_detector(lambda: MyDetector(MyDetector.Config(steps=3)))
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from benchmark.methods.contract.rules import RULES, Rule
from benchmark.methods.contract.trial import NotRun, Trial, simulated_case
from benchmark.methods.detector import Detector

__all__ = ["ContractError", "Outcome", "check_detector", "examine", "simulated_case"]


class ContractError(AssertionError):
    """A detector breaks its contract; the text says which rules, what was got and what was wanted."""


@dataclass(frozen=True)
class Outcome:
    """One rule's verdict on one detector.

    Attributes:
        rule: the rule as a sentence.
        error: what was got and wanted where it is broken, else None.
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
